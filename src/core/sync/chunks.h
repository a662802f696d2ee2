// Where a file is cut into chunks, by what it holds: bytes put in or taken out near its beginning change the chunks
// there, and leave those after them as they were. FastCDC: W. Xia et al., "FastCDC: a Fast and Efficient
// Content-Defined Chunking Approach for Data Deduplication", USENIX ATC 2016; the masks and sizes are that paper's,
// with normalized chunking (its level 2).
//
//   const ChunkSizes sizes = ChunkSizes::for_file(bytes);
//   while (!text.empty()) text.remove_prefix(next_chunk(text, sizes));
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::sync {

struct ChunkSizes {
  static constexpr unsigned kMaxDoublings = 14;

  // The sizes are those of the paper (at least 2 KiB, 8 KiB on average, 64 KiB at most), doubled so often.
  unsigned doublings = 0;

  std::size_t least() const { return std::size_t{2'048} << doublings; }
  std::size_t average() const { return std::size_t{8'192} << doublings; }
  std::size_t most() const { return std::size_t{65'536} << doublings; }

  // Up to 1 GiB as the paper has them; for longer files so that there are some 131,000 chunks, and 525,000 at most.
  static ChunkSizes for_file(std::uint64_t bytes);
};

// The length of the first chunk of `bytes`, which are all that is left of the file, or `sizes.most()` of them at least.
// 0 if there are none.
std::size_t next_chunk(std::string_view bytes, ChunkSizes sizes);

}  // namespace hearth::sync
