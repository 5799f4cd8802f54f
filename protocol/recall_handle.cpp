#include "protocol/recall_handle.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace holdfast::protocol {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t max_handle_chars = 1024;

std::string to_base64url(std::string_view text) {
    std::string encoded;
    encoded.reserve((text.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char byte : text) {
        bits = bits << 8U | static_cast<std::uint8_t>(byte);
        for (count += 8; count >= 6; count -= 6)
            encoded.push_back(digits[bits >> (count - 6) & 0x3FU]);
    }
    if (count > 0)
        encoded.push_back(digits[bits << (6 - count) & 0x3FU]);
    return encoded;
}

std::optional<std::string> from_base64url(std::string_view encoded) {
    while (!encoded.empty() && encoded.back() == '=')
        encoded.remove_suffix(1);
    std::string text;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char character : encoded) {
        const auto digit = digits.find(character);
        if (digit == std::string_view::npos)
            return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text.push_back(static_cast<char>(bits >> count & 0xFFU));
        }
    }
    return text;
}

error malformed() {
    return {errc::malformed, "this is no recall handle of this broker; take it from the answer to the send"};
}

} // namespace

std::string make_recall_handle(const recall_handle& handle) {
    return to_base64url("v1 " + handle.topic + " " + handle.broker_name + " " +
                        std::to_string(handle.due.value()) + " " + handle.unique_key);
}

result<recall_handle> parse_recall_handle(std::string_view text) {
    const auto decoded = text.size() <= max_handle_chars ? from_base64url(text) : std::nullopt;
    if (!decoded)
        return malformed();
    std::array<std::string_view, 5> words;
    std::string_view rest{*decoded};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto end = i + 1 == words.size() ? std::string_view::npos : rest.find(' ');
        if (i + 1 < words.size() && end == std::string_view::npos)
            return malformed();
        words[i] = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    std::int64_t due = 0;
    const auto* const end = words[3].data() + words[3].size();
    const auto [stopped, failed] = std::from_chars(words[3].data(), end, due);
    if (words[0] != "v1" || failed != std::errc{} || stopped != end || due < 0)
        return malformed();
    return recall_handle{std::string{words[1]}, std::string{words[2]}, timestamp_ms{due},
                         std::string{words[4]}};
}

} // namespace holdfast::protocol
