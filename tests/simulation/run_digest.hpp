// What a run was, in one number: two runs that differ in anything that was put in have different ones.
#pragma once

#include "base/bytes.hpp"
#include "base/checksum.hpp"

#include <cstdint>
#include <string_view>

namespace holdfast::simulation {

class run_digest {
  public:
    // FNV-1a, a number at a time.
    void add(std::uint64_t number) { value_ = (value_ ^ number) * 0x100000001B3U; }
    void add(byte_view bytes) {
        add(bytes.size());
        add(std::uint64_t{crc32c(bytes)});
    }
    void add(std::string_view text) { add(as_bytes(text)); }

    [[nodiscard]] std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0xCBF29CE484222325U;
};

} // namespace holdfast::simulation
