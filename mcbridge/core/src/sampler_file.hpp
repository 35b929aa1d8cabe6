// The sampler file: all channels of a run, a metadata text, and named arrays; versioned, checksummed, memory-mapped.
//
// Layout (little-endian): a header of 64 bytes, a table of sections of 64 bytes each, the sections, each at a multiple
// of 64 bytes. A reader skips sections of a kind it does not know, so that later versions can add some.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "channel_sampler.hpp"

namespace mcbridge {

constexpr std::uint32_t SAMPLER_FILE_VERSION = 1;

// What is wrong with a file, in one sentence.
struct FileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct NamedArray {
    std::vector<std::int64_t> shape;
    bool single = false;  // float32 rather than float64
    std::string bytes;
};

struct SamplerFile {
    std::vector<ChannelSampler> channels;
    std::string metadata;
    std::map<std::string, NamedArray> arrays;
};

// Write to the path itself; the caller makes it atomic. Throws FileError.
void write_sampler_file(const std::string& path, const SamplerFile& content);
// Parameters are used in the mapped pages, which processes share; without `map`, or where the file cannot be mapped, in
// a copy of the file. The channels keep either alive. Throws FileError naming what is wrong.
SamplerFile read_sampler_file(const std::string& path, bool map = true);

}  // namespace mcbridge
