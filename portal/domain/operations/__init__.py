"""Operations: what operators and the clock do."""
