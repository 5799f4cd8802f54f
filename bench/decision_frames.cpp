#include "bench/decision_frames.hpp"

#include "base/check.hpp"
#include "bench/send_frames.hpp"
#include "protocol/message_id.hpp"
#include "protocol/requests.hpp"

namespace holdfast::bench {
namespace {

constexpr unsigned digits = 19; // of each number, zeros in front
constexpr std::int64_t template_number = 1'111'111'111'111'111'111;
constexpr std::int64_t template_position = 2'222'222'222'222'222'222;

void write_decimal(char* to, std::uint64_t value) {
    for (auto at = digits; at-- > 0; value /= 10)
        to[at] = static_cast<char>('0' + value % 10);
}

std::uint64_t read_decimal(std::string_view text, std::size_t at) {
    std::uint64_t value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
        value = value * 10 + static_cast<std::uint64_t>(text[at] - '0');
    return value;
}

std::uint64_t read_hex(std::string_view text) {
    std::uint64_t value = 0;
    for (const char digit : text)
        value = value * 16 + static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'A' + 10);
    return value;
}

} // namespace

decision_frames::decision_frames(const load_options& options) : headers_(options.headers) {
    byte_buffer frame;
    protocol::call how;
    how.oneway = true;
    how.serialize = headers_;
    protocol::append_request(
        frame, how,
        protocol::end_transaction_request{.producer_group = std::string_view{producer_group},
                                          .state_table_offset = queue_offset{template_number},
                                          .commit_log_offset =
                                              log_position{static_cast<std::uint64_t>(template_position)},
                                          .verdict = protocol::transaction_end::commit,
                                          .message_id = "7F0000010A2B18B4AAC26E0A6F4A0000",
                                          .transaction_id = "7F0000010A2B18B4AAC26E0A6F4A0000",
                                          .broker_name = "broker-a"});
    frame_ = as_text(frame.view());
    number_at_ = frame_.find(std::to_string(template_number));
    position_at_ = frame_.find(std::to_string(template_position));
    HOLDFAST_CHECK(number_at_ != std::string::npos && position_at_ != std::string::npos);
}

// Where the field's value begins.
std::size_t decision_frames::value_of(std::string_view header, std::string_view field) const {
    const auto at = header.find(field);
    HOLDFAST_CHECK(at != std::string_view::npos);
    // In JSON `":"` follows the name, in binary the value's length.
    return at + field.size() + (headers_ == protocol::serialize_type::json ? 3 : 4);
}

void decision_frames::add(const protocol::frame_view& answer, byte_buffer& out) {
    constexpr std::size_t position_digits = 16; // the last ones of the id
    const auto header = as_text(answer.header);
    const auto id = header.substr(value_of(header, "msgId"), protocol::message_id_chars);
    write_decimal(frame_.data() + position_at_, read_hex(id.substr(id.size() - position_digits)));
    write_decimal(frame_.data() + number_at_, read_decimal(header, value_of(header, "queueOffset")));
    out.append(frame_);
}

} // namespace holdfast::bench
