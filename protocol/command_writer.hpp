// Writes a whole frame, header in either dialect, to the end of a byte_buffer (protocol reference
// 1, 1.1, 1.2).
//
// JSON is written for the strictest reader: standard, no whitespace, every extFields value a string. Use the
// functions of requests.hpp and answers.hpp where they fit; this is what they are made of:
//
//     command_writer writer{out, head};      // everything but fields and body
//     writer.field("topic", topic);
//     writer.finish(body);                   // or finish_header(size), with the body sent from elsewhere
#pragma once

#include "base/byte_buffer.hpp"
#include "base/ids.hpp"
#include "protocol/codes.hpp"
#include "protocol/frame.hpp"

namespace holdfast::protocol {

struct command_head {
    std::int32_t code = 0;
    serialize_type serialize = serialize_type::json;
    std::int32_t opaque = 0;
    std::int32_t flag = 0;
    protocol::language language = protocol::language::cpp;
    std::int32_t version = version::announced;
    std::string_view remark{}; // empty = none
};

class command_writer {
  public:
    // The binary dialect can't say codes outside int16 (T22): those are a bug of the caller's.
    command_writer(byte_buffer& out, const command_head& head);
    command_writer(const command_writer&) = delete;
    command_writer& operator=(const command_writer&) = delete;

    // Bad UTF-8 becomes U+FFFD in JSON; binary writes the bytes as they are, and an empty value means null
    // there.
    void field(std::string_view name, std::string_view value);
    void field(std::string_view name, std::int64_t value);
    void field(std::string_view name, bool value);
    // Without this a string literal would choose the bool.
    void field(std::string_view name, const char* value) { field(name, std::string_view{value}); }

    // Completes the frame. An answer that would exceed limits::max_frame_bytes becomes one with code 1 that
    // says so; a larger request is a bug of the caller's. `finish_header` promises `body_size` bytes that
    // follow in the stream from elsewhere; that they fit is checked.
    void finish(byte_view body = {});
    void finish_header(std::size_t body_size);

  private:
    byte_buffer& out_;
    serialize_type serialize_;
    bool has_fields_ = false;
    std::size_t frame_first_ = 0;
    std::size_t fields_first_ = 0; // binary: where the length of the fields stands
};

// Appends `text` as the inside of a JSON string.
void append_json_escaped(byte_buffer& out, std::string_view text);

} // namespace holdfast::protocol
