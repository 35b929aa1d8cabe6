// The C interface (mcbridge.h) on top of the sampler classes.
#include "mcbridge.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "sampler_file.hpp"

struct mcb_sampler {
    mcbridge::SamplerFile content;
};

struct mcb_recorder {
    std::FILE* file;
    int dim;
    std::string path;
    std::vector<double> row;
};

namespace {

int say(int code, const char* sentence, char* message, std::size_t size) noexcept {
    if (message && size) std::snprintf(message, size, "%s", sentence);
    return code;
}

template <class Work>
int guarded(char* message, std::size_t size, Work work) noexcept {
    try {
        if (message && size) message[0] = '\0';
        return work();
    } catch (const mcbridge::FileError& error) {
        return say(MCB_ERROR_FILE, error.what(), message, size);
    } catch (const std::invalid_argument& error) {
        return say(MCB_ERROR_ARGUMENT, error.what(), message, size);
    } catch (const std::exception& error) {
        return say(MCB_ERROR_INTERNAL, error.what(), message, size);
    } catch (...) {
        return say(MCB_ERROR_INTERNAL, "an unknown error", message, size);
    }
}

const mcbridge::ChannelSampler* channel_of(const mcb_sampler* sampler, int channel) noexcept {
    if (!sampler || channel < 0 || static_cast<std::size_t>(channel) >= sampler->content.channels.size())
        return nullptr;
    return &sampler->content.channels[static_cast<std::size_t>(channel)];
}

// Parameters (replicas, P) of a channel, or null.
const mcbridge::NamedArray* replicas_of(const mcb_sampler* sampler, int channel) {
    const auto& arrays = sampler->content.arrays;
    const auto found = arrays.find("replicas." + std::to_string(channel) + ".parameters");
    return found == arrays.end() || found->second.shape.size() != 2 || !found->second.single ? nullptr : &found->second;
}

}  // namespace

extern "C" {

int mcb_version(void) { return 1001; }

int mcb_open(const char* path, mcb_sampler** sampler, char* message, size_t size) {
    if (!path || !sampler) return say(MCB_ERROR_ARGUMENT, "mcb_open: path or sampler is null", message, size);
    *sampler = nullptr;
    return guarded(message, size, [&] {
        std::unique_ptr<mcb_sampler> made(new mcb_sampler{mcbridge::read_sampler_file(path)});
        *sampler = made.release();
        return MCB_OK;
    });
}

void mcb_close(mcb_sampler* sampler) { delete sampler; }

int mcb_channels(const mcb_sampler* sampler) {
    return sampler ? static_cast<int>(sampler->content.channels.size()) : -1;
}

int mcb_dimension(const mcb_sampler* sampler, int channel) {
    const auto* found = channel_of(sampler, channel);
    return found ? found->dim() : -1;
}

int mcb_uniforms(const mcb_sampler* sampler, int channel) {
    const auto* found = channel_of(sampler, channel);
    return found ? found->uniforms() : -1;
}

const char* mcb_metadata(const mcb_sampler* sampler) { return sampler ? sampler->content.metadata.c_str() : ""; }

int mcb_sample(const mcb_sampler* sampler, int channel, size_t n, const double* r, double* u, double* density,
               char* message, size_t size) {
    const auto* found = channel_of(sampler, channel);
    if (!found) return say(MCB_ERROR_ARGUMENT, "mcb_sample: no such sampler or channel", message, size);
    if (n && (!r || !u || !density)) return say(MCB_ERROR_ARGUMENT, "mcb_sample: an array is null", message, size);
    return guarded(message, size, [&] {
        const std::size_t numbers = n * static_cast<std::size_t>(found->uniforms());
        for (std::size_t i = 0; i < numbers; ++i)
            if (!(r[i] >= 0 && r[i] <= 1)) throw std::invalid_argument("mcb_sample: a random number is outside [0, 1]");
        found->sample(r, static_cast<std::ptrdiff_t>(n), u, density, 1);
        return MCB_OK;
    });
}

int mcb_density(const mcb_sampler* sampler, int channel, size_t n, const double* u, double* density, char* message,
                size_t size) {
    const auto* found = channel_of(sampler, channel);
    if (!found) return say(MCB_ERROR_ARGUMENT, "mcb_density: no such sampler or channel", message, size);
    if (n && (!u || !density)) return say(MCB_ERROR_ARGUMENT, "mcb_density: an array is null", message, size);
    return guarded(message, size, [&] {
        found->density(u, static_cast<std::ptrdiff_t>(n), density, 1);
        return MCB_OK;
    });
}

int mcb_replicas(const mcb_sampler* sampler) {
    if (!sampler) return -1;
    try {
        const auto* found = replicas_of(sampler, 0);
        return found ? static_cast<int>(found->shape[0]) : 0;
    } catch (...) {
        return 0;
    }
}

int mcb_replica_densities(const mcb_sampler* sampler, int channel, size_t n, const double* u, double* density,
                          char* message, size_t size) {
    const auto* found = channel_of(sampler, channel);
    if (!found) return say(MCB_ERROR_ARGUMENT, "mcb_replica_densities: no such sampler or channel", message, size);
    if (n && (!u || !density)) return say(MCB_ERROR_ARGUMENT, "mcb_replica_densities: an array is null", message, size);
    return guarded(message, size, [&] {
        const auto* replicas = replicas_of(sampler, channel);
        if (!replicas) throw std::invalid_argument("mcb_replica_densities: the sampler file holds no replicas");
        if (!found->flow() || static_cast<std::size_t>(replicas->shape[1]) != found->params().size)
            throw std::invalid_argument("mcb_replica_densities: the channel has no flow of the replicas' architecture");
        const float* parameters = reinterpret_cast<const float*>(replicas->bytes.data());
        for (std::int64_t m = 0; m < replicas->shape[0]; ++m) {
            // The sampler keeps the owner alive; here it is the file's content, which outlives this call.
            const mcbridge::Parameters own{nullptr, parameters + m * replicas->shape[1], found->params().size};
            const mcbridge::ChannelSampler replica(found->dim(), found->grid(), found->cells(), found->flow(), own, 0.5);
            replica.densities(u, static_cast<std::ptrdiff_t>(n), nullptr, density + static_cast<std::size_t>(m) * n, 1);
        }
        return MCB_OK;
    });
}

int mcb_record_open(const char* path, int dim, mcb_recorder** recorder, char* message, size_t size) {
    if (!path || !recorder || dim < 1)
        return say(MCB_ERROR_ARGUMENT, "mcb_record_open: an argument is null or dim is below 1", message, size);
    *recorder = nullptr;
    return guarded(message, size, [&] {
        std::unique_ptr<mcb_recorder> made(new mcb_recorder{std::fopen(path, "wb"), dim, path,
                                                            std::vector<double>(static_cast<std::size_t>(dim) + 3)});
        if (!made->file) throw mcbridge::FileError(made->path + " cannot be written: " + std::strerror(errno));
        const std::int64_t number = dim;
        if (std::fwrite("MCBRECD1", 8, 1, made->file) != 1 || std::fwrite(&number, sizeof number, 1, made->file) != 1) {
            const int problem = errno;
            std::fclose(made->file);
            throw mcbridge::FileError(made->path + " cannot be written: " + std::strerror(problem));
        }
        *recorder = made.release();
        return MCB_OK;
    });
}

int mcb_record(mcb_recorder* recorder, int channel, size_t n, const double* u, const double* weight,
               const double* density, char* message, size_t size) {
    if (!recorder || (n && (!u || !weight || !density)))
        return say(MCB_ERROR_ARGUMENT, "mcb_record: an argument is null", message, size);
    return guarded(message, size, [&] {
        const std::size_t dim = static_cast<std::size_t>(recorder->dim);
        for (std::size_t k = 0; k < n; ++k) {
            recorder->row[0] = channel;
            std::memcpy(recorder->row.data() + 1, u + k * dim, dim * sizeof(double));
            recorder->row[dim + 1] = weight[k];
            recorder->row[dim + 2] = density[k];
            if (std::fwrite(recorder->row.data(), sizeof(double), dim + 3, recorder->file) != dim + 3)
                throw mcbridge::FileError(recorder->path + " cannot be written: " + std::strerror(errno));
        }
        return MCB_OK;
    });
}

int mcb_record_close(mcb_recorder* recorder, char* message, size_t size) {
    if (!recorder) return MCB_OK;
    const std::unique_ptr<mcb_recorder> owned(recorder);
    return guarded(message, size, [&] {
        if (std::fclose(owned->file) != 0)
            throw mcbridge::FileError(owned->path + " cannot be written: " + std::strerror(errno));
        return MCB_OK;
    });
}

}  // extern "C"
