// Every decoder of this room, fed with one input. Shared by the seeded mutator and libFuzzer.
#pragma once

#include "base/bytes.hpp"

#include <string>
#include <vector>

namespace holdfast::protocol {

// Feeds `input` to the decoder that its first byte chooses; aborts when an invariant does not hold. Returns
// whether the decoder took it, so that a test can see that it reaches the good paths too.
bool fuzz_one(byte_view input);

// Good inputs for every decoder, the choosing byte included.
[[nodiscard]] std::vector<std::string> fuzz_seeds();

} // namespace holdfast::protocol
