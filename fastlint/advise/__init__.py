"""What is known of code, deployment, machine and load -> advised sizes with their arithmetic. Reads no Python code."""
