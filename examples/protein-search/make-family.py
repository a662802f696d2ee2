#!/usr/bin/env python3
"""make-family.py PROTEINS: writes family.sto, an alignment of one made-up protein family, and proteins.fa, so many random
proteins of which every fortieth carries a distant relative. The same every time.
"""
import random
import sys

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LENGTH = 120


def chain(chance, length):
    return "".join(chance.choice(LETTERS) for _ in range(length))


def relative(chance, ancestor, changed):
    """A copy with a share of its letters changed, and now and then one lost."""
    letters = (chance.choice(LETTERS) if chance.random() < changed else letter for letter in ancestor)
    return "".join(letter for letter in letters if chance.random() > 0.02)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    if not 40 <= count <= 1_000_000:
        sys.exit(f"error: PROTEINS {count}: 40 to 1000000 are allowed")
    chance = random.Random(4)
    ancestor = chain(chance, LENGTH)
    with open("family.sto", "w", encoding="ascii") as out:
        out.write("# STOCKHOLM 1.0\n")
        for member in range(12):
            letters = (chance.choice(LETTERS) if chance.random() < 0.3 else letter for letter in ancestor)
            out.write(f"member{member:02} {''.join(letters)}\n")
        out.write("//\n")
    with open("proteins.fa", "w", encoding="ascii") as out:
        for number in range(count):
            text = chain(chance, chance.randint(80, 400))
            if number % 40 == 0:
                text += relative(chance, ancestor, chance.uniform(0.3, 0.8)) + chain(chance, 50)
            out.write(f">protein{number:06}\n{text}\n")


if __name__ == "__main__":
    main()
