#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "kernel_table.hpp"

namespace mcbridge {

extern const KernelTable<float> generic_float;
extern const KernelTable<double> generic_double;
#ifdef MCB_X86
extern const KernelTable<float> avx2_float, avx512_float;
extern const KernelTable<double> avx2_double, avx512_double;
#endif

std::vector<std::string> instruction_sets() {
    std::vector<std::string> found{"generic"};
#ifdef MCB_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        found.push_back("avx512");
#endif
    return found;
}

std::string instruction_set() {
    const std::vector<std::string> found = instruction_sets();
    const char* wanted = std::getenv("BINNIS_ISA");
    if (wanted && *wanted) {
        for (const std::string& name : found)
            if (name == wanted) return name;
        std::string list;
        for (const std::string& name : found) list += (list.empty() ? "" : ", ") + name;
        throw std::invalid_argument("BINNIS_ISA is '" + std::string(wanted) + "'; this machine has " + list);
    }
    return found.back();
}

namespace {
template <class T>
struct Tables;
template <>
struct Tables<float> {
    static const KernelTable<float>& get(const std::string& name) {
#ifdef MCB_X86
        if (name == "avx512") return avx512_float;
        if (name == "avx2") return avx2_float;
#endif
        (void)name;
        return generic_float;
    }
};
template <>
struct Tables<double> {
    static const KernelTable<double>& get(const std::string& name) {
#ifdef MCB_X86
        if (name == "avx512") return avx512_double;
        if (name == "avx2") return avx2_double;
#endif
        (void)name;
        return generic_double;
    }
};
}  // namespace

template <class T>
const KernelTable<T>& kernel(const std::string& isa) {
    if (isa.empty()) return Tables<T>::get(instruction_set());
    for (const std::string& name : instruction_sets())
        if (name == isa) return Tables<T>::get(isa);
    throw std::invalid_argument("the instruction set '" + isa + "' is not available on this machine");
}

double fma_peak(const std::string& isa) {
    using Clock = std::chrono::steady_clock;
    const auto work = kernel<float>(isa).multiply_add;
    float sink = 0;
    double best = 0;
    for (int burst = 0; burst < 200; ++burst) {
        const auto start = Clock::now();
        const double done = work(10000, 0.5f, &sink);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (seconds > 0 && sink == sink) best = std::max(best, done / seconds);
    }
    return best;
}

template const KernelTable<float>& kernel<float>(const std::string&);
template const KernelTable<double>& kernel<double>(const std::string&);

}  // namespace mcbridge
