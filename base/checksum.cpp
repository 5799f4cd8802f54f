#include "base/checksum.hpp"

#include <algorithm>
#include <climits>
#include <isa-l/crc.h>

namespace holdfast {

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t previous) {
    // isa-l takes an int length and neither inverts its seed nor its result.
    std::uint32_t state = ~previous;
    while (!bytes.empty()) {
        const auto step = std::min<std::size_t>(bytes.size(), INT_MAX);
        auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
        state = crc32_iscsi(data, static_cast<int>(step), state);
        bytes = bytes.subspan(step);
    }
    return ~state;
}

std::uint32_t crc32_ieee(std::span<const std::byte> bytes, std::uint32_t previous) {
    return crc32_gzip_refl(previous, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

} // namespace holdfast
