// The two checksums of the house, both hardware-assisted (isa-l).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast {

// CRC-32C (Castagnoli, RFC 3720): guards every entry of the log. `previous` continues an earlier call.
// crc32c("123456789") == 0xE3069283.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t previous = 0);

// CRC-32 (IEEE 802.3, zlib's): RocketMQ's bodyCRC, which keeps only the lower 31 bits of it.
// crc32_ieee("123456789") == 0xCBF43926.
[[nodiscard]] std::uint32_t crc32_ieee(std::span<const std::byte> bytes, std::uint32_t previous = 0);

} // namespace holdfast
