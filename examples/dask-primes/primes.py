"""How many primes there are below LIMIT: slices of the numbers are sieved by the workers of a Dask cluster."""
import os
import sys

from distributed import Client, as_completed

SLICE = 20_000


def count_primes(first, last):
    """The primes p with first <= p < last, by trial: slow on purpose, as real work would be."""
    small = [p for p in range(2, int(last**0.5) + 1) if all(p % q for q in range(2, int(p**0.5) + 1))]
    return sum(n > 1 and all(n % p for p in small if p * p <= n) for n in range(first, last))


def main():
    limit = int(sys.argv[1])
    with Client(os.environ["DASK_SCHEDULER_ADDRESS"]) as client:
        client.wait_for_workers(int(os.environ["HEARTH_GANG_SIZE"]) - 1)
        starts = range(0, limit, SLICE)
        futures = client.map(count_primes, starts, [min(start + SLICE, limit) for start in starts])
        for done, _ in enumerate(as_completed(futures)):
            if done == len(futures) // 4:
                print("a quarter is done", flush=True)
        total = sum(client.gather(futures))
    with open("primes.txt", "w", encoding="ascii") as out:
        out.write(f"{total}\n")


if __name__ == "__main__":
    main()
