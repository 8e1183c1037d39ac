"""Loa: a voice on every loudspeaker of a territory."""
