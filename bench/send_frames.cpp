#include "bench/send_frames.hpp"

#include "base/byte_buffer.hpp"
#include "base/check.hpp"
#include "bench/raw_socket.hpp"
#include "protocol/requests.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::bench {
namespace {

constexpr std::size_t ring_bytes = 256U << 10U; // stays in the cache
constexpr std::uint32_t template_opaque = 1'987'654'321;
constexpr std::string_view template_key = "7F0000010A2B18B4AAC26E0A6F4A0000";
constexpr unsigned topic_digits = 5;
constexpr unsigned key_digits = 16;                        // the last ones of the key
constexpr std::string_view template_due = "9876543210987"; // milliseconds since 1970

void write_decimal(char* to, std::uint64_t value, unsigned digits) {
    for (auto at = digits; at-- > 0; value /= 10)
        to[at] = static_cast<char>('0' + value % 10);
}

void write_hex(char* to, std::uint64_t value, unsigned digits) {
    for (auto at = digits; at-- > 0; value >>= 4U)
        to[at] = "0123456789ABCDEF"[value & 15U];
}

std::size_t place_of(std::string_view frame, std::string_view text) {
    const auto at = frame.find(text);
    HOLDFAST_CHECK(at != std::string_view::npos);
    return at;
}

// What makes it more than a plain message; `one` and `two` are the separators.
std::string more_properties(const load_options& options, std::string_view one, std::string_view two) {
    if (options.transactional)
        return fmt::format("TRAN_MSG{}true{}PGROUP{}{}{}", one, two, one, producer_group, two);
    return options.delay_ms > 0 ? fmt::format("TIMER_DELIVER_MS{}{}{}", one, template_due, two) : "";
}

// As the Java 4.9.8 client writes it: fields in this order, properties escaped by fastjson.
std::string java_header(const std::string& topic, const load_options& options) {
    return fmt::format(
        R"({{"code":310,"extFields":{{"a":"{}","b":"{}","c":"TBW102","d":"4",)"
        R"("e":"0","f":"{}","g":"1795439569807","h":"0","i":"KEYS\u0001OrderID188\u0002UNIQ_KEY\u0001{}\u0002)"
        R"(WAIT\u0001true\u0002{}TAGS\u0001TagA","j":"0","k":"false","m":"false","n":"broker-a"}},"flag":0,)"
        R"("language":"JAVA","opaque":{},"serializeTypeCurrentRPC":"JSON","version":409}})",
        producer_group, topic, options.transactional ? 4 : 0, template_key,
        more_properties(options, R"(\u0001)", R"(\u0002)"), template_opaque);
}

void append_json_frame(byte_buffer& out, const std::string& topic, const std::string& body,
                       const load_options& options) {
    const auto header = java_header(topic, options);
    out.append_big(static_cast<std::uint32_t>(4 + header.size() + body.size()));
    out.append_big(static_cast<std::uint32_t>(header.size()));
    out.append(header);
    out.append(body);
}

void append_binary_frame(byte_buffer& out, const std::string& topic, const std::string& body,
                         const load_options& options) {
    const auto properties =
        fmt::format("KEYS\x01OrderID188\x02UNIQ_KEY\x01{}\x02WAIT\x01true\x02{}TAGS\x01TagA", template_key,
                    more_properties(options, "\x01", "\x02"));
    protocol::append_send_message(
        out,
        {.opaque = static_cast<std::int32_t>(template_opaque), .serialize = protocol::serialize_type::binary},
        {.producer_group = std::string_view{producer_group},
         .topic = topic,
         .default_topic = "TBW102",
         .sys_flag = options.transactional ? protocol::sys_flag::transaction_prepared : 0,
         .born = timestamp_ms{1795439569807},
         .properties = properties,
         .broker_name = "broker-a",
         .body = as_bytes(body)});
}

} // namespace

std::string topic_name(const load_options& options, std::uint32_t topic) {
    return fmt::format("{}{:05}", options.topic_prefix, topic);
}

send_frames::send_frames(const load_options& options) : options_(options) {
    byte_buffer frame;
    const std::string body(options_.body_bytes, 'x');
    const auto topic = topic_name(options_, 0);
    const bool is_json = options_.headers == protocol::serialize_type::json;
    if (is_json)
        append_json_frame(frame, topic, body, options_);
    else
        append_binary_frame(frame, topic, body, options_);
    const auto text = as_text(frame.view());
    topic_at_ = place_of(text, topic) + topic.size() - topic_digits;
    if (options_.delay_ms > 0)
        due_at_ = place_of(text, template_due);
    key_at_ = place_of(text, template_key) + template_key.size() - key_digits;
    if (is_json) {
        opaque_at_ = place_of(text, std::to_string(template_opaque));
        queue_at_ = place_of(text, R"("e":")") + 5;
    } else {
        opaque_at_ = 8 + 5; // behind code, language and version (protocol reference 1.2)
        queue_at_ = place_of(text, std::string_view{"\0\1e\0\0\0\1", 7}) + 7;
    }
    frame_bytes_ = text.size();
    ring_frames_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(ring_bytes / frame_bytes_, 1, 1024));
    ring_.reserve(ring_frames_ * frame_bytes_);
    for (std::uint32_t made = 0; made < ring_frames_; ++made)
        ring_.append(text);
}

send_frames::piece send_frames::next(std::uint32_t count, std::uint32_t first_opaque,
                                     std::uint64_t sequence) {
    if (at_ == ring_frames_)
        at_ = 0;
    const auto given = std::min(count, ring_frames_ - at_);
    char* const first = ring_.data() + at_ * frame_bytes_;
    if (options_.delay_ms > 0)
        now_ms_ = wall_ms();
    for (std::uint32_t i = 0; i < given; ++i)
        patch(first + i * frame_bytes_, first_opaque + i, sequence + i);
    at_ += given;
    return {{first, given * frame_bytes_}, given};
}

void send_frames::patch(char* frame, std::uint32_t opaque, std::uint64_t sequence) const {
    if (options_.headers == protocol::serialize_type::json)
        write_decimal(frame + opaque_at_, opaque, 10);
    else
        store_big(reinterpret_cast<std::byte*>(frame + opaque_at_), opaque);
    write_hex(frame + key_at_, sequence, key_digits);
    // Neighbours are due at quite different times, as from independent senders.
    if (options_.delay_ms > 0)
        write_decimal(frame + due_at_, now_ms_ + 1 + sequence * 0x9E3779B1U % options_.delay_ms,
                      template_due.size());
    if (options_.topics > 1)
        write_decimal(frame + topic_at_, sequence % options_.topics, topic_digits);
    frame[queue_at_] = static_cast<char>('0' + sequence / options_.topics % options_.queues);
}

} // namespace holdfast::bench
