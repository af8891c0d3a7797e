"""Soft octave convolutions (Durall, Pfreundt, Keuper 2019): layers, networks, schedules and the model."""
