#!/usr/bin/env python3
"""The first DIGITS digits of pi into pi.txt, by Machin's formula in whole numbers.

  hearth run --output pi.txt -- examples/digits.py 10000
"""
import sys


def arctan_of_inverse(x, one):
    """arctan(1/x), scaled by `one`."""
    term = one // x
    total, divisor, sign = term, 1, 1
    while term:
        term //= x * x
        divisor += 2
        sign = -sign
        total += sign * (term // divisor)
    return total


def pi_digits(digits):
    guard = 10
    one = 10 ** (digits + guard)
    return (16 * arctan_of_inverse(5, one) - 4 * arctan_of_inverse(239, one)) // 10 ** (guard + 1)


def main():
    digits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    if not 2 <= digits <= 100_000:
        sys.exit(f"error: DIGITS {digits}: 2 to 100000 are allowed")
    sys.set_int_max_str_digits(max(digits + 20, 640))
    text = str(pi_digits(digits))
    with open("pi.txt", "w", encoding="ascii") as out:
        out.write(f"{text[0]}.{text[1:]}\n")
    print(f"{digits} digits of pi, the last ten of them {text[-10:]}")


if __name__ == "__main__":
    main()
