#include "protocol/message_id.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace holdfast::protocol {

namespace {

// The two digits of every byte: each answer to a send has 16 bytes to write.
constexpr auto hex_pairs = [] {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t byte = 0; byte < pairs.size(); ++byte)
        pairs[byte] = {digits[byte >> 4U], digits[byte & 0xFU]};
    return pairs;
}();

// `value` as upper-case hex, all digits of its type.
template <std::unsigned_integral T>
char* write_hex(char* to, T value) {
    for (int shift = static_cast<int>(sizeof value - 1) * 8; shift >= 0; shift -= 8) {
        const auto& pair = hex_pairs[static_cast<std::size_t>(value >> static_cast<unsigned>(shift) & 0xFFU)];
        to = std::copy(pair.begin(), pair.end(), to);
    }
    return to;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Java counts UNIQ_KEY's time from the beginning of the month.
std::uint32_t ms_of_month(timestamp_ms now) {
    using namespace std::chrono;
    const sys_time<milliseconds> time{milliseconds{now.value()}};
    const year_month_day date{floor<days>(time)};
    const sys_days month_first{date.year() / date.month() / 1};
    return static_cast<std::uint32_t>((time - month_first).count());
}

} // namespace

void write_message_id(char* to, const ipv4_host& host, log_position position) {
    to = write_hex(to, host.address);
    to = write_hex(to, static_cast<std::uint32_t>(host.port));
    write_hex(to, position.value());
}

std::string make_message_id(const ipv4_host& host, log_position position) {
    std::string id(message_id_chars, '0');
    write_message_id(id.data(), host, position);
    return id;
}

result<offset_message_id> parse_message_id(std::string_view text) {
    std::array<std::byte, ipv6_message_id_chars / 2> bytes{};
    bool is_hex = text.size() == message_id_chars || text.size() == ipv6_message_id_chars;
    for (std::size_t i = 0; is_hex && i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        is_hex = high >= 0 && low >= 0;
        bytes[i / 2] = static_cast<std::byte>(high << 4 | low);
    }
    if (!is_hex)
        return error{errc::invalid_argument,
                     "a message id is 32 or 56 hex digits, not \"" + std::string{text.substr(0, 64)} + "\""};
    offset_message_id id;
    id.host.is_ipv6 = text.size() == ipv6_message_id_chars;
    const std::size_t address_bytes = id.host.is_ipv6 ? 16 : 4;
    std::memcpy(id.host.address.data(), bytes.data(), address_bytes);
    id.host.port = load_big<std::int32_t>(bytes.data() + address_bytes);
    id.position = log_position{load_big<std::uint64_t>(bytes.data() + address_bytes + 4)};
    return id;
}

unique_key_generator::unique_key_generator(std::uint32_t ipv4_address, std::uint16_t process_id,
                                           std::uint32_t salt) {
    char* at = write_hex(prefix_.data(), ipv4_address);
    at = write_hex(at, process_id);
    write_hex(at, salt);
}

std::string unique_key_generator::next(timestamp_ms now) {
    std::string key(message_id_chars, '0');
    std::memcpy(key.data(), prefix_.data(), prefix_.size());
    char* const at = write_hex(key.data() + prefix_.size(), ms_of_month(now));
    write_hex(at, counter_.fetch_add(1, std::memory_order_relaxed));
    return key;
}

} // namespace holdfast::protocol
