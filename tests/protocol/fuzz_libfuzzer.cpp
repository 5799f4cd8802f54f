// libFuzzer's entry (cmake -DHOLDFAST_FUZZ=ON with clang). `fuzz_protocol CORPUS_DIRECTORY` runs until
// stopped.
#include "tests/protocol/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)holdfast::protocol::fuzz_one({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
