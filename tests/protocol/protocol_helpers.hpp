// What the tests of this room share: bytes from hex, frames from texts, seeded randomness.
#pragma once

#include "base/byte_buffer.hpp"
#include "protocol/requests.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace holdfast::protocol {

// Bytes of hex digits; blanks are skipped.
inline std::string from_hex(std::string_view hex) {
    std::string bytes;
    int high = -1;
    for (const char digit : hex) {
        if (digit == ' ')
            continue;
        const int value = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
        if (high < 0) {
            high = value;
        } else {
            bytes += static_cast<char>(high << 4 | value);
            high = -1;
        }
    }
    return bytes;
}

inline std::string to_hex(byte_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const std::byte byte : bytes) {
        hex += digits[static_cast<std::size_t>(byte) >> 4U];
        hex += digits[static_cast<std::size_t>(byte) & 0xFU];
    }
    return hex;
}

inline std::string without_blanks(std::string_view text) {
    std::string kept;
    for (const char character : text)
        if (character != ' ')
            kept += character;
    return kept;
}

// A frame around a JSON header.
inline byte_buffer json_frame(std::string_view header, std::string_view body = {}) {
    byte_buffer frame;
    frame.append_big(static_cast<std::uint32_t>(4 + header.size() + body.size()));
    frame.append_big(static_cast<std::uint32_t>(header.size()));
    frame.append(header);
    frame.append(body);
    return frame;
}

// The one frame in `bytes`; the test fails if there is not exactly one.
inline frame_view only_frame(byte_view bytes) {
    const auto frame = next_frame(bytes);
    EXPECT_TRUE(frame.ok() && frame->has_value());
    if (!frame || !*frame)
        return {};
    EXPECT_EQ((*frame)->size, bytes.size());
    return **frame;
}

inline remoting_command decoded(byte_view bytes) {
    remoting_command command;
    const auto outcome = command.decode(only_frame(bytes));
    EXPECT_TRUE(outcome.ok()) << (outcome ? error{} : outcome.failure());
    return command;
}

class random_source {
  public:
    explicit random_source(std::uint64_t seed) : engine_(seed) {}
    std::int64_t between(std::int64_t first, std::int64_t last) {
        return std::uniform_int_distribution<std::int64_t>{first, last}(engine_);
    }
    bool one_in(int count) { return between(1, count) == 1; }
    std::int32_t int32() { return static_cast<std::int32_t>(between(INT32_MIN, INT32_MAX)); }
    // Valid UTF-8 with control characters, quotes and characters of every length.
    std::string text(std::size_t max_characters);
    std::string plain(std::size_t max_characters) {
        std::string text(static_cast<std::size_t>(between(0, static_cast<std::int64_t>(max_characters))),
                         'a');
        for (char& character : text)
            character = static_cast<char>(between('a', 'z'));
        return text;
    }
    std::mt19937_64& engine() { return engine_; }

  private:
    std::mt19937_64 engine_;
};

inline std::string random_source::text(std::size_t max_characters) {
    constexpr std::string_view pieces[] = {"\x01", "\x02", "\"", "\\", "/",   "\n",
                                           "ä",    "漢",   "😀",  "a",  "Zz9", " "};
    std::string text;
    for (auto count = between(0, static_cast<std::int64_t>(max_characters)); count > 0; --count)
        text += pieces[static_cast<std::size_t>(between(0, std::size(pieces) - 1))];
    return text;
}

} // namespace holdfast::protocol
