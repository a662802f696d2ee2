// heat STEPS: heat spreads over a plate whose rows are divided among the ranks of MPI; each step trades the edges with the neighbours. Rank 0 writes the
// plate to plate.bin. A cell's new value is the same sum in the same order however many ranks there are, so the file is the same too.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kWidth = 512, kHeight = 480 };

static double* row(double* plate, int number) { return plate + (size_t)number * kWidth; }

// The rows above and below ours, from their ranks; MPI_PROC_NULL leaves the plate's own edge as it is.
static void trade_edges(double* plate, int rows, int above, int below) {
  MPI_Sendrecv(row(plate, 1), kWidth, MPI_DOUBLE, above, 0, row(plate, rows + 1), kWidth, MPI_DOUBLE, below, 0,
               MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  MPI_Sendrecv(row(plate, rows), kWidth, MPI_DOUBLE, below, 1, row(plate, 0), kWidth, MPI_DOUBLE, above, 1,
               MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void step(double* from, double* to, int rows) {
  for (int y = 1; y <= rows; ++y) {
    for (int x = 1; x < kWidth - 1; ++x) {
      to[y * kWidth + x] = from[y * kWidth + x] + 0.2 * (from[(y - 1) * kWidth + x] + from[(y + 1) * kWidth + x] +
                                                         from[y * kWidth + x - 1] + from[y * kWidth + x + 1] -
                                                         4 * from[y * kWidth + x]);
    }
  }
}

static void write_plate(const double* plate, int rows, int rank) {
  double* whole = rank == 0 ? malloc(sizeof(double) * kWidth * kHeight) : NULL;
  MPI_Gather(plate + kWidth, rows * kWidth, MPI_DOUBLE, whole, rows * kWidth, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  if (rank != 0) return;
  FILE* out = fopen("plate.bin", "wb");
  if (out == NULL || fwrite(whole, sizeof(double) * kWidth, kHeight, out) != kHeight || fclose(out) != 0) {
    fprintf(stderr, "error: plate.bin cannot be written\n");
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  free(whole);
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int steps = argc > 1 ? atoi(argv[1]) : 1000;
  if (steps < 1 || kHeight % size != 0) {
    if (rank == 0) fprintf(stderr, "error: at least one step, and ranks that divide %d rows\n", kHeight);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const int rows = kHeight / size;
  double* plate = calloc((size_t)(rows + 2) * kWidth, sizeof(double));
  double* next = calloc((size_t)(rows + 2) * kWidth, sizeof(double));
  for (int y = 1; y <= rows; ++y) {
    for (int x = 100; x < 300; ++x) row(plate, y)[x] = (rank * rows + y) % 160 < 60 ? 100 : 0;
  }
  for (int i = 0; i < steps; ++i) {
    if (rank == 0 && i == steps / 4) { printf("a quarter is done\n"); fflush(stdout); }
    trade_edges(plate, rows, rank > 0 ? rank - 1 : MPI_PROC_NULL, rank < size - 1 ? rank + 1 : MPI_PROC_NULL);
    step(plate, next, rows);
    double* swapped = plate;
    plate = next;
    next = swapped;
  }
  write_plate(plate, rows, rank);
  MPI_Finalize();
  return 0;
}
