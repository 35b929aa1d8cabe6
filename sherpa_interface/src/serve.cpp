#include "serve.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <vector>

#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "sampling.hpp"

namespace binnis {

namespace {

bool take(int descriptor, void* target, std::size_t bytes) {
    for (char* to = static_cast<char*>(target); bytes;) {
        const ssize_t n = ::read(descriptor, to, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        to += n;
        bytes -= static_cast<std::size_t>(n);
    }
    return true;
}

void give(int descriptor, const void* source, std::size_t bytes) {
    for (const char* from = static_cast<const char*>(source); bytes;) {
        const ssize_t n = ::write(descriptor, from, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) std::_Exit(1);  // nobody listens any more
        from += n;
        bytes -= static_cast<std::size_t>(n);
    }
}

void answer(int descriptor, std::int64_t sign, const void* source, std::size_t bytes) {
    const std::int64_t size = sign * static_cast<std::int64_t>(bytes);
    give(descriptor, &size, sizeof size);
    give(descriptor, source, bytes);
}

}  // namespace

void serve(Sampling& sampling, const std::string& descriptors) {
    int in = -1, out = -1;
    if (std::sscanf(descriptors.c_str(), "%d,%d", &in, &out) != 2)
        THROW(fatal_error, "BINNIS: SERVE is '" + descriptors + "'; it must be two file descriptors, 'in,out'");
    std::int64_t request[2];
    std::vector<double> points, values;
    while (take(in, request, sizeof request)) {
        const auto n = static_cast<std::size_t>(request[1]);
        std::string text;
        try {
            if (request[0] == 1) {
                text = sampling.describe();
                answer(out, 1, text.data(), text.size());
                continue;
            }
            const bool integrand = request[0] == 2;
            points.resize(n * (integrand ? sampling.dim() : 4 * sampling.particles()));
            values.resize(n + 1);
            if (!take(in, points.data(), points.size() * sizeof(double))) break;
            const std::clock_t start = std::clock();
            if (integrand)
                sampling.evaluate(n, points.data(), values.data());
            else
                sampling.amplitude(n, points.data(), values.data());
            values[n] = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
            answer(out, 1, values.data(), values.size() * sizeof(double));
            continue;
        } catch (const ATOOLS::Exception& error) {
            std::ostringstream sentence;
            sentence << error;
            text = sentence.str();
        } catch (const std::exception& error) {
            text = error.what();
        }
        answer(out, -1, text.data(), text.size());
    }
    std::_Exit(0);
}

}  // namespace binnis
