#include "sampler_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace mcbridge {

namespace {

constexpr char MAGIC[8] = {'M', 'C', 'B', 'S', 'A', 'M', 'P', '\n'};
constexpr std::uint32_t ENDIAN = 0x01020304;
constexpr std::size_t ALIGN = 64;

struct Header {
    char magic[8];
    std::uint32_t version, endian;
    std::uint64_t sections, size;
    std::uint32_t table_checksum, header_checksum;
    char reserved[24];
};
static_assert(sizeof(Header) == 64);

struct Entry {
    char kind[16];
    std::uint64_t offset, size;
    std::uint32_t checksum, reserved;
    char padding[24];
};
static_assert(sizeof(Entry) == 64);

std::uint32_t crc32(const char* data, std::size_t n) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> t{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t c = i;
            for (int k = 0; k < 8; ++k) c = (c & 1) ? 0xedb88320u ^ (c >> 1) : c >> 1;
            t[i] = c;
        }
        return t;
    }();
    std::uint32_t c = 0xffffffffu;
    for (std::size_t i = 0; i < n; ++i) c = table[(c ^ static_cast<unsigned char>(data[i])) & 0xff] ^ (c >> 8);
    return ~c;
}

class Writer {
  public:
    std::string bytes;
    template <class T>
    void put(T x) {
        static_assert(std::is_arithmetic<T>::value);
        bytes.append(reinterpret_cast<const char*>(&x), sizeof x);
    }
    template <class T>
    void list(const T* data, std::size_t n) {
        put(static_cast<std::uint64_t>(n));
        align();
        bytes.append(reinterpret_cast<const char*>(data), n * sizeof(T));
        align();
    }
    void text(const std::string& s) { list(s.data(), s.size()); }
    void align() { bytes.resize((bytes.size() + ALIGN - 1) / ALIGN * ALIGN, '\0'); }
};

class Reader {
  public:
    Reader(const char* data, std::size_t size, std::string what) : data_(data), size_(size), what_(std::move(what)) {}
    template <class T>
    T get() {
        need(sizeof(T));
        T x;
        std::memcpy(&x, data_ + at_, sizeof x);
        at_ += sizeof x;
        return x;
    }
    // A list in place: the section is aligned, so the numbers are too.
    template <class T>
    const T* list(std::size_t& n) {
        const std::uint64_t count = get<std::uint64_t>();
        align();
        if (count > (size_ - at_) / sizeof(T)) broken();
        const T* found = reinterpret_cast<const T*>(data_ + at_);
        n = static_cast<std::size_t>(count);
        at_ += n * sizeof(T);
        align();
        return found;
    }
    template <class T>
    std::vector<T> vector() {
        std::size_t n = 0;
        const T* found = list<T>(n);
        return std::vector<T>(found, found + n);
    }
    std::string text() {
        std::size_t n = 0;
        const char* found = list<char>(n);
        return std::string(found, n);
    }
    [[noreturn]] void broken() const { throw FileError(what_ + " is inconsistent"); }

  private:
    void need(std::size_t n) const {
        if (n > size_ - at_) broken();
    }
    void align() {
        at_ = (at_ + ALIGN - 1) / ALIGN * ALIGN;
        if (at_ > size_) broken();
    }
    const char* data_;
    std::size_t size_, at_ = 0;
    std::string what_;
};

std::string channel_bytes(const ChannelSampler& s) {
    Writer w;
    w.put<std::int32_t>(s.dim());
    w.put<std::int32_t>(s.grid().empty() ? 0 : 1);
    w.put<std::int32_t>(s.cells() ? 1 : 0);
    w.put<std::int32_t>(s.flow() ? 1 : 0);
    w.put<double>(s.eps());
    w.put<std::int32_t>(s.cells() ? static_cast<std::int32_t>(s.cells()->dims.size()) : 0);
    for (const auto& knots : s.grid()) w.list(knots.data(), knots.size());
    if (s.cells()) {
        const Cells& c = *s.cells();
        w.put<std::int32_t>(c.columns);
        w.list(c.dims.data(), c.dims.size());
        w.list(c.boxes.data(), c.boxes.size());
        w.list(c.p_vegas.data(), c.p_vegas.size());
        w.list(c.p_flow.data(), c.p_flow.size());
        w.list(c.context.data(), c.context.size());
    }
    if (s.flow()) {
        const Architecture& a = *s.flow();
        for (int x : {a.dim, a.context, a.hidden, static_cast<int>(a.blocks[0].layers.size()), a.bins,
                      static_cast<int>(a.kind), static_cast<int>(a.blocks.size())})
            w.put<std::int32_t>(x);
        w.put<double>(a.min_bin);
        w.put<double>(a.min_derivative);
        std::vector<int> periodic;
        for (int d = 0; d < a.dim; ++d)
            if (a.periodic[static_cast<std::size_t>(d)]) periodic.push_back(d);
        w.list(periodic.data(), periodic.size());
        std::vector<char> masks;
        for (const Block& block : a.blocks) {
            std::vector<char> mask(static_cast<std::size_t>(a.dim), 0);
            for (int d : block.transformed) mask[static_cast<std::size_t>(d)] = 1;
            masks.insert(masks.end(), mask.begin(), mask.end());
        }
        w.list(masks.data(), masks.size());
        w.list(s.params().data, s.params().size);
    }
    return w.bytes;
}

ChannelSampler channel_from(Reader r, const std::shared_ptr<const void>& owner) {
    const int dim = r.get<std::int32_t>();
    const bool has_grid = r.get<std::int32_t>() != 0, has_cells = r.get<std::int32_t>() != 0,
               has_flow = r.get<std::int32_t>() != 0;
    const double eps = r.get<double>();
    if (dim < 1 || dim > 4096) r.broken();
    std::vector<std::vector<double>> grid;
    std::shared_ptr<Cells> cells;
    std::shared_ptr<Architecture> flow;
    Parameters params;
    const int discrete = r.get<std::int32_t>();
    if (discrete < 0 || discrete > dim) r.broken();
    if (has_grid)
        for (int a = 0; a < dim - discrete; ++a) grid.push_back(r.vector<double>());
    if (has_cells) {
        cells = std::make_shared<Cells>();
        cells->columns = r.get<std::int32_t>();
        if (cells->columns < 0 || cells->columns > 65536) r.broken();
        cells->dims = r.vector<int>();
        cells->boxes = r.vector<double>();
        cells->p_vegas = r.vector<double>();
        cells->p_flow = r.vector<double>();
        cells->context = r.vector<float>();
    }
    if (has_flow) {
        int x[7];
        for (int& value : x) value = r.get<std::int32_t>();
        const double min_bin = r.get<double>(), min_derivative = r.get<double>();
        const std::vector<int> periodic = r.vector<int>();
        const std::vector<char> flat = r.vector<char>();
        if (x[0] < 1 || x[0] > 4096 || x[6] < 1 || x[6] > 4096 ||
            flat.size() != static_cast<std::size_t>(x[0]) * static_cast<std::size_t>(x[6]) || x[5] < 0 || x[5] > 1)
            r.broken();
        std::vector<std::vector<char>> masks;
        for (int b = 0; b < x[6]; ++b) masks.emplace_back(flat.begin() + b * x[0], flat.begin() + (b + 1) * x[0]);
        flow = std::make_shared<Architecture>(x[0], x[1], x[2], x[3], x[4], static_cast<Kind>(x[5]), periodic, min_bin,
                                              min_derivative, masks);
        params.owner = owner;
        params.data = r.list<float>(params.size);
    }
    return ChannelSampler(dim, std::move(grid), cells, flow, params, eps);
}

// The bytes of a file, aligned: mapped, or copied where the file system cannot map.
class FileBytes {
  public:
    FileBytes(const std::string& path, const std::string& name, std::size_t smallest, bool map) {
        const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) throw FileError(name + " cannot be read: " + std::strerror(errno));
        const std::string problem = fill(fd, smallest, map);
        close(fd);
        if (!problem.empty()) {
            release();
            throw FileError(name + problem);
        }
    }
    ~FileBytes() { release(); }
    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;
    const char* data() const { return static_cast<const char*>(data_); }
    std::size_t size() const { return size_; }

  private:
    std::string fill(int fd, std::size_t smallest, bool map) {  // what is wrong, or nothing
        struct stat info;
        if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return " cannot be read: it is not a file";
        size_ = static_cast<std::size_t>(info.st_size);
        if (size_ < smallest) return " is truncated or not a sampler file: it has " + std::to_string(size_) + " bytes";
        void* mapped = map ? mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
        if (mapped != MAP_FAILED) {
            data_ = mapped;
            mapped_ = true;
            return "";
        }
        if (posix_memalign(&data_, ALIGN, size_) != 0) {
            data_ = nullptr;
            return " cannot be read: there is no memory for its " + std::to_string(size_) + " bytes";
        }
        for (std::size_t at = 0; at < size_;) {
            const ssize_t got = read(fd, static_cast<char*>(data_) + at, size_ - at);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return std::string(" cannot be read: ") + std::strerror(errno);
            if (got == 0) return " is truncated: it became shorter while it was read";
            at += static_cast<std::size_t>(got);
        }
        return "";
    }
    void release() {
        if (mapped_)
            munmap(data_, size_);
        else
            std::free(data_);
        data_ = nullptr;
        mapped_ = false;
    }
    void* data_ = nullptr;
    std::size_t size_ = 0;
    bool mapped_ = false;
};

}  // namespace

void write_sampler_file(const std::string& path, const SamplerFile& content) {
    std::vector<std::pair<std::string, std::string>> sections;
    Writer meta;
    meta.text(content.metadata);
    sections.emplace_back("metadata", meta.bytes);
    for (const ChannelSampler& channel : content.channels) {
        sections.emplace_back("channel", channel_bytes(channel));
    }
    for (const auto& [name, array] : content.arrays) {
        Writer w;
        w.text(name);
        w.put<std::int32_t>(array.single ? 1 : 0);
        w.list(array.shape.data(), array.shape.size());
        w.list(array.bytes.data(), array.bytes.size());
        sections.emplace_back("array", w.bytes);
    }
    std::vector<Entry> table(sections.size());
    std::size_t offset = sizeof(Header) + table.size() * sizeof(Entry);
    for (std::size_t i = 0; i < sections.size(); ++i) {
        Entry& e = table[i];
        std::memset(&e, 0, sizeof e);
        std::strncpy(e.kind, sections[i].first.c_str(), sizeof e.kind - 1);
        e.offset = offset;
        e.size = sections[i].second.size();
        e.checksum = crc32(sections[i].second.data(), sections[i].second.size());
        offset += (sections[i].second.size() + ALIGN - 1) / ALIGN * ALIGN;
    }
    Header h;
    std::memset(&h, 0, sizeof h);
    std::memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.version = SAMPLER_FILE_VERSION;
    h.endian = ENDIAN;
    h.sections = sections.size();
    h.size = offset;
    h.table_checksum = crc32(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(Entry));
    h.header_checksum = crc32(reinterpret_cast<const char*>(&h), offsetof(Header, header_checksum));
    std::FILE* out = std::fopen(path.c_str(), "wb");
    if (!out) throw FileError(path + " cannot be written: " + std::strerror(errno));
    bool good = std::fwrite(&h, sizeof h, 1, out) == 1;
    good = good && std::fwrite(table.data(), sizeof(Entry), table.size(), out) == table.size();
    static const char zeros[ALIGN] = {};
    for (const auto& section : sections) {
        const std::size_t n = section.second.size(), rest = (ALIGN - n % ALIGN) % ALIGN;
        good = good && std::fwrite(section.second.data(), 1, n, out) == n && std::fwrite(zeros, 1, rest, out) == rest;
    }
    const int problem = errno;
    good = std::fclose(out) == 0 && good;
    if (!good) throw FileError(path + " cannot be written: " + std::strerror(problem ? problem : EIO));
}

SamplerFile read_sampler_file(const std::string& path, bool map) {
    const std::string name = "the sampler file " + path;
    const auto file = std::make_shared<const FileBytes>(path, name, sizeof(Header), map);
    const char* bytes = file->data();
    const std::size_t size = file->size();
    Header h;
    std::memcpy(&h, bytes, sizeof h);
    if (std::memcmp(h.magic, MAGIC, sizeof MAGIC) != 0)
        throw FileError(name + " is not a sampler file: it does not begin as one");
    if (h.endian != ENDIAN) throw FileError(name + " was written on a machine with another byte order");
    if (h.version != SAMPLER_FILE_VERSION)
        throw FileError(name + " has version " + std::to_string(h.version) + "; this binnis reads version " +
                        std::to_string(SAMPLER_FILE_VERSION));
    if (crc32(bytes, offsetof(Header, header_checksum)) != h.header_checksum)
        throw FileError(name + " is damaged: the checksum of its header is wrong");
    if (size < h.size)
        throw FileError(name + " is truncated: " + std::to_string(size) + " of " + std::to_string(h.size) + " bytes");
    if (h.sections > (size - sizeof(Header)) / sizeof(Entry))
        throw FileError(name + " is damaged: its table of sections is too long");
    std::vector<Entry> table(static_cast<std::size_t>(h.sections));
    if (!table.empty()) std::memcpy(table.data(), bytes + sizeof(Header), table.size() * sizeof(Entry));
    if (crc32(bytes + sizeof(Header), table.size() * sizeof(Entry)) != h.table_checksum)
        throw FileError(name + " is damaged: the checksum of its table is wrong");
    SamplerFile content;
    try {
        for (std::size_t i = 0; i < table.size(); ++i) {
            const Entry& e = table[i];
            const std::string kind(e.kind, strnlen(e.kind, sizeof e.kind));
            const std::string what = name + ": section " + std::to_string(i + 1) + " (" + kind + ")";
            if (e.offset > size || e.size > size - e.offset || e.offset % ALIGN != 0)
                throw FileError(what + " lies outside the file");
            if (crc32(bytes + e.offset, static_cast<std::size_t>(e.size)) != e.checksum)
                throw FileError(what + " is damaged: its checksum is wrong");
            Reader r(bytes + e.offset, static_cast<std::size_t>(e.size), what);
            if (kind == "metadata") {
                content.metadata = r.text();
            } else if (kind == "channel") {
                content.channels.push_back(channel_from(r, file));
            } else if (kind == "array") {
                const std::string label = r.text();
                NamedArray array;
                array.single = r.get<std::int32_t>() != 0;
                array.shape = r.vector<std::int64_t>();
                array.bytes = r.text();
                std::uint64_t numbers = 1;
                for (std::int64_t n : array.shape) {
                    if (n < 0 || n > (std::int64_t(1) << 40)) r.broken();
                    numbers *= static_cast<std::uint64_t>(n);
                    if (numbers > (std::uint64_t(1) << 40)) r.broken();
                }
                if (numbers * (array.single ? 4 : 8) != array.bytes.size()) r.broken();
                content.arrays[label] = std::move(array);
            }
        }
    } catch (const std::invalid_argument& error) {
        throw FileError(name + " is inconsistent: " + error.what());
    }
    if (content.channels.empty()) throw FileError(name + " is inconsistent: it holds no channel");
    return content;
}

}  // namespace mcbridge
