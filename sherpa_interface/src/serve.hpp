// Answers requests of another process on the integrand, instead of letting Sherpa integrate.
#pragma once

#include <string>

namespace binnis {

class Sampling;

// Requests come in on one file descriptor and answers leave on another ("in,out"); ends the process when the requests
// end. A request is two int64, what (1: describe, 2: integrand, 3: amplitude) and n, and n points; an answer is one
// int64, the number of bytes that follow: a text for 1, n doubles and the CPU time [s] for the others; a negative
// number announces the text of an error.
[[noreturn]] void serve(Sampling& sampling, const std::string& descriptors);

}  // namespace binnis
