"""A world in which one seed fixes everything: workers of the real classes on a broker that is plain data.

Nothing here waits and nothing looks at a clock. Each worker runs in an event loop of its own until it can do no more;
then the seed chooses what happens next: which request takes effect, which answer arrives or never does, who is killed,
put to sleep or given other partitions. In the end the world heals, everything is read to its end, and the verdict is
taken (``tests.simulation.verdict``).

The clients of aiokafka are replaced (``tests.simulation.clients``), and so are the local store's files
(``tests.simulation.disk``) and Faust's part of a rebalance (``tests.simulation.worker``). All else is what a worker
runs.
"""
