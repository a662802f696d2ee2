#!/usr/bin/env python3
"""make-fields.py FIELDS: a made-up part of the sky, catalogue.fits, and so many pictures of it, field-NN.fits, each of a degree, turned as it pleases and
with noise. truth.txt says where each points. The same every time.
"""
import sys

import numpy
from astropy.io import fits

SIDE = 512  # pixels
SCALE = 7.0 / 3600  # degrees a pixel
RA, DEC, EXTENT = 80.0, 20.0, 6.0  # degrees
STARS = 3600


def on_plate(ra, dec, ra0, dec0):
    """Where stars stand on the plane that touches the sky at (ra0, dec0), in degrees; all arguments in degrees."""
    a, d, a0, d0 = map(numpy.radians, (ra, dec, ra0, dec0))
    away = numpy.sin(d) * numpy.sin(d0) + numpy.cos(d) * numpy.cos(d0) * numpy.cos(a - a0)
    east = numpy.cos(d) * numpy.sin(a - a0) / away
    north = (numpy.sin(d) * numpy.cos(d0) - numpy.cos(d) * numpy.sin(d0) * numpy.cos(a - a0)) / away
    return numpy.degrees(east), numpy.degrees(north)


def picture(chance, stars, ra0, dec0):
    east, north = on_plate(stars["RA"], stars["DEC"], ra0, dec0)
    angle = chance.uniform(0, 2 * numpy.pi)
    x = (numpy.cos(angle) * east + numpy.sin(angle) * north) / SCALE + (SIDE - 1) / 2
    y = (-numpy.sin(angle) * east + numpy.cos(angle) * north) / SCALE + (SIDE - 1) / 2
    pixels = chance.normal(100, 3, (SIDE, SIDE))
    rows, columns = numpy.mgrid[0:SIDE, 0:SIDE]
    for i in numpy.flatnonzero((abs(x - SIDE / 2) < SIDE / 2 + 5) & (abs(y - SIDE / 2) < SIDE / 2 + 5)):
        light = 10 ** (0.4 * (15 - stars["MAG"][i]))
        pixels += light * numpy.exp(-((columns - x[i]) ** 2 + (rows - y[i]) ** 2) / (2 * 1.6**2))
    return pixels.astype(numpy.float32)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    if not 1 <= count <= 100:
        sys.exit(f"error: FIELDS {count}: 1 to 100 are allowed")
    chance = numpy.random.default_rng(4)
    stars = numpy.zeros(STARS, dtype=[("RA", "f8"), ("DEC", "f8"), ("MAG", "f4")])
    stars["RA"] = RA + chance.uniform(-EXTENT / 2, EXTENT / 2, STARS)
    stars["DEC"] = DEC + chance.uniform(-EXTENT / 2, EXTENT / 2, STARS)
    stars["MAG"] = 12 - chance.exponential(1.2, STARS).clip(max=4)
    fits.writeto("catalogue.fits", stars, overwrite=True)
    with open("truth.txt", "w", encoding="ascii") as out:
        for number in range(count):
            ra0 = RA + chance.uniform(-EXTENT / 3, EXTENT / 3)
            dec0 = DEC + chance.uniform(-EXTENT / 3, EXTENT / 3)
            fits.writeto(f"field-{number:02}.fits", picture(chance, stars, ra0, dec0), overwrite=True)
            out.write(f"field-{number:02} {ra0:.7f} {dec0:.7f}\n")


if __name__ == "__main__":
    main()
