"""What learns and what the user meets: flows, training, choice, run card, command line."""
