"""Server settings -> one `ServerPlan` a service. Executes nothing and judges nothing."""
