"""Networks: functions that return plain Keras models; the resolution is an argument."""
