"""Why a click was scored as it was: the inputs that moved the model most, in points and in words."""
