#include "protocol/command_writer.hpp"

#include "protocol/remoting_command.hpp"
#include "protocol/utf8.hpp"

#include <array>
#include <charconv>

namespace holdfast::protocol {

namespace {

constexpr std::size_t longest_escape = 6;  // \u00XX
constexpr std::size_t longest_number = 20; // an int64 and its sign
constexpr std::size_t longest_ending = 2;  // }} of a JSON header

void append_number(byte_buffer& out, std::int64_t value) {
    char* const begin = reinterpret_cast<char*>(out.extend(longest_number));
    const auto written = std::to_chars(begin, begin + longest_number, value);
    out.truncate(out.size() - static_cast<std::size_t>(begin + longest_number - written.ptr));
}

bool is_plain(char character) {
    const auto byte = static_cast<std::uint8_t>(character);
    return byte >= 0x20 && byte < 0x80 && character != '"' && character != '\\';
}

char* escape_one(char* to, char character) {
    constexpr std::string_view hex = "0123456789abcdef";
    *to++ = '\\';
    if (character == '"' || character == '\\') {
        *to++ = character;
        return to;
    }
    const auto byte = static_cast<std::uint8_t>(character);
    *to++ = 'u';
    *to++ = '0';
    *to++ = '0';
    *to++ = hex[byte >> 4U];
    *to++ = hex[byte & 0xFU];
    return to;
}

// Puts code 1 in the place of the answer at `first`, whose header is complete and whose body is too large.
// Does nothing to a request: that one is a bug.
bool write_too_large(byte_buffer& out, std::size_t first, std::size_t body_bytes) {
    const auto frame = next_frame(out.view().subspan(first));
    remoting_command begun;
    if (!frame.ok() || !*frame || !begun.decode(**frame).ok() || !begun.is_response())
        return false;
    const auto remark = "the answer would be too large for a frame: " + std::to_string(body_bytes) +
                        " bytes, and " + std::to_string(limits::max_frame_bytes) +
                        " with the header are allowed; ask for less at once (fewer messages, one topic or "
                        "group by name), or delete topics and groups that nobody needs";
    const command_head head{.code = static_cast<std::int32_t>(response_code::system_error),
                            .serialize = begun.serialize(),
                            .opaque = begun.opaque(),
                            .flag = begun.flag(),
                            .remark = remark};
    out.truncate(first);
    command_writer{out, head}.finish();
    return true;
}

} // namespace

void append_json_escaped(byte_buffer& out, std::string_view text) {
    const std::size_t room = text.size() * longest_escape;
    char* const begin = reinterpret_cast<char*>(out.extend(room));
    char* to = begin;
    for (std::size_t at = 0; at < text.size();) {
        const char character = text[at];
        if (is_plain(character)) {
            *to++ = character;
            ++at;
        } else if (static_cast<std::uint8_t>(character) < 0x80) {
            to = escape_one(to, character);
            ++at;
        } else {
            const decoded_character decoded = decode_utf8(text.substr(at));
            to = encode_utf8(to, decoded.code_point);
            at += decoded.size;
        }
    }
    out.truncate(out.size() - (room - static_cast<std::size_t>(to - begin)));
}

command_writer::command_writer(byte_buffer& out, const command_head& head)
    : out_(out), serialize_(head.serialize), frame_first_(out.size()) {
    const std::string_view remark = clip_utf8(head.remark, limits::max_remark_bytes);
    (void)out_.extend(limits::frame_prefix_bytes); // filled in when the sizes are known
    if (serialize_ == serialize_type::binary) {
        HOLDFAST_CHECK(static_cast<std::int16_t>(head.code) == head.code);
        HOLDFAST_CHECK(static_cast<std::int16_t>(head.version) == head.version);
        out_.append_big(static_cast<std::int16_t>(head.code));
        out_.append_big(static_cast<std::uint8_t>(head.language));
        out_.append_big(static_cast<std::int16_t>(head.version));
        out_.append_big(head.opaque);
        out_.append_big(head.flag);
        out_.append_big(static_cast<std::int32_t>(remark.size()));
        out_.append(remark);
        fields_first_ = out_.size();
        out_.append_big(std::int32_t{0});
        return;
    }
    out_.append(std::string_view{R"({"code":)"});
    append_number(out_, head.code);
    out_.append(std::string_view{R"(,"flag":)"});
    append_number(out_, head.flag);
    out_.append(std::string_view{R"(,"language":")"});
    out_.append(to_string(head.language));
    out_.append(std::string_view{R"(","opaque":)"});
    append_number(out_, head.opaque);
    out_.append(std::string_view{R"(,"version":)"});
    append_number(out_, head.version);
    if (!remark.empty()) {
        out_.append(std::string_view{R"(,"remark":")"});
        append_json_escaped(out_, remark);
        out_.append('"');
    }
}

void command_writer::field(std::string_view name, std::string_view value) {
    if (serialize_ == serialize_type::binary) {
        HOLDFAST_CHECK(name.size() <= 0x7FFF && value.size() <= limits::max_frame_bytes);
        out_.append_big(static_cast<std::int16_t>(name.size()));
        out_.append(name);
        out_.append_big(static_cast<std::int32_t>(value.size()));
        out_.append(value);
        return;
    }
    out_.append(has_fields_ ? std::string_view{",\""} : std::string_view{R"(,"extFields":{")"});
    has_fields_ = true;
    append_json_escaped(out_, name);
    out_.append(std::string_view{R"(":")"});
    append_json_escaped(out_, value);
    out_.append('"');
}

void command_writer::field(std::string_view name, std::int64_t value) {
    std::array<char, longest_number> text{};
    const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
    field(name, std::string_view{text.data(), static_cast<std::size_t>(written.ptr - text.data())});
}

void command_writer::field(std::string_view name, bool value) {
    field(name, value ? std::string_view{"true"} : std::string_view{"false"});
}

// How large an answer becomes is often up to what clients have made (topics, members, large messages).
void command_writer::finish(byte_view body) {
    const std::size_t header_and_prefix = out_.size() - frame_first_ + longest_ending;
    if (header_and_prefix + body.size() > limits::max_frame_bytes) {
        finish_header(0);
        HOLDFAST_CHECK(write_too_large(out_, frame_first_, body.size()));
        return;
    }
    finish_header(body.size());
    out_.append(body);
}

void command_writer::finish_header(std::size_t body_size) {
    if (serialize_ == serialize_type::binary) {
        const std::size_t fields_bytes = out_.size() - fields_first_ - sizeof(std::int32_t);
        store_big(out_.data() + fields_first_, static_cast<std::int32_t>(fields_bytes));
    } else {
        out_.append(has_fields_ ? std::string_view{"}}"} : std::string_view{"}"});
    }
    const std::size_t header_and_prefix = out_.size() - frame_first_;
    HOLDFAST_CHECK(body_size <= limits::max_frame_bytes &&
                   header_and_prefix + body_size <= limits::max_frame_bytes);
    const std::size_t header_bytes = header_and_prefix - limits::frame_prefix_bytes;
    std::byte* const prefix = out_.data() + frame_first_;
    store_big(prefix, static_cast<std::uint32_t>(header_and_prefix + body_size - sizeof(std::uint32_t)));
    store_big(prefix + sizeof(std::uint32_t),
              static_cast<std::uint32_t>(serialize_) << 24U | static_cast<std::uint32_t>(header_bytes));
}

} // namespace holdfast::protocol
