"""The building blocks of a deployment: one component resource a file, each with its arguments and outputs typed."""
