"""Components: what one action of a MAC unit, memory, converter, modulator or link costs, with its source."""
