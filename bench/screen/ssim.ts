// How alike two pictures are: the mean structural similarity index (SSIM) of their luma as Wang, Bovik, Sheikh and
// Simoncelli define it ("Image quality assessment: from error visibility to structural similarity", IEEE Transactions on
// Image Processing 13(4), 2004): a Gaussian window of 11x11 with a standard deviation of 1.5, K1 = 0.01, K2 = 0.03.
const kWindow = Array.from({ length: 11 }, (_, at) => Math.exp(-((at - 5) ** 2) / (2 * 1.5 ** 2)));
const kSum = kWindow.reduce((sum, weight) => sum + weight, 0);
const kWeights = Float64Array.from(kWindow, (weight) => weight / kSum);
const kC1 = (0.01 * 255) ** 2;
const kC2 = (0.03 * 255) ** 2;

// By rows, then by columns; only windows that lie within the picture.
function blurred(values: Float64Array, width: number, height: number): Float64Array {
  const [columns, rows] = [width - 10, height - 10];
  const wide = new Float64Array(columns * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let at = 0; at < 11; at++) sum += kWeights[at]! * values[y * width + x + at]!;
      wide[y * columns + x] = sum;
    }
  }
  const all = new Float64Array(columns * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let at = 0; at < 11; at++) sum += kWeights[at]! * wide[(y + at) * columns + x]!;
      all[y * columns + x] = sum;
    }
  }
  return all;
}

function product(one: Uint8Array, other: Uint8Array): Float64Array {
  return Float64Array.from(one, (value, at) => value * other[at]!);
}

// 1: the same.
export function ssim(one: Uint8Array, other: Uint8Array, width: number, height: number): number {
  const [mean_one, mean_other, squares_one, squares_other, products] = [Float64Array.from(one), Float64Array.from(other), product(one, one), product(other, other), product(one, other)].map((values) => blurred(values, width, height)) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
  let sum = 0;
  for (let at = 0; at < mean_one.length; at++) {
    const [a, b] = [mean_one[at]!, mean_other[at]!];
    const both = products[at]! - a * b;
    const each = squares_one[at]! - a * a + squares_other[at]! - b * b;
    sum += ((2 * a * b + kC1) * (2 * both + kC2)) / ((a * a + b * b + kC1) * (each + kC2));
  }
  return sum / mean_one.length;
}
