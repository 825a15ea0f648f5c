"""The model registry at run time: what is in force, how a version gets there, and what takes it out again."""
