"""Servers that run on this machine -> what they are, what they use, and the plan behind them. Touches none of them."""
