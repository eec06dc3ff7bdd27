"""What the portal costs, beside a bare reference that is measured in the same run: `make bench`.

Nothing here asserts a time; machines differ, ratios hardly do. CPU times are read as Linux tells them.
"""
