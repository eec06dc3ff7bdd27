"""Long values, and numbers for addresses that no other state has."""

from itertools import count

LONG_EMAIL = "maximiliana.featherstonehaugh-cholmondeley@customers.a-rather-long-company-name.example.com"
LONG_FIRST, LONG_LAST = "Wolfeschlegelsteinhausenbergerdorff", "Featherstonehaugh-Cholmondeley-Marjoribanks the Younger"
UNKNOWN = "x" * 40
numbers = count()
