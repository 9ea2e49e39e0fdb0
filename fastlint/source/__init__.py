"""Python files become facts here. The only place that knows LibCST; knows nothing of libraries, rules or contexts."""
