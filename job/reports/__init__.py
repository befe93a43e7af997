"""Results -> what people and CI systems read."""
