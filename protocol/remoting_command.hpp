// A decoded command, request or response alike (protocol reference 1.1, 1.2).
//
// It is a view: texts point into the frame it was decoded from, or, where JSON escapes had to be undone, into
// a scratch of its own. So a command is good as long as the frame's bytes live and until it decodes the next
// one. Keep one command per connection or session and reuse it: after the first few, decoding allocates
// nothing.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/codes.hpp"
#include "protocol/frame.hpp"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace holdfast::protocol {

// An entry of extFields. Values are texts, whatever they were in JSON: numbers and booleans stand as written.
struct header_field {
    std::string_view name;
    std::string_view value;
};

class remoting_command {
  public:
    remoting_command() = default;
    remoting_command(remoting_command&&) noexcept = default;
    remoting_command& operator=(remoting_command&&) noexcept = default;
    remoting_command(const remoting_command&) = delete;
    remoting_command& operator=(const remoting_command&) = delete;
    ~remoting_command() = default;

    // Takes the frame's header apart, replacing what was here. On an error (malformed, too_large) the
    // contents are unspecified and the connection must be closed, as a Java server does. Lenient as 1.1
    // demands: unknown keys and languages, raw numbers and booleans, nulls (= absent); missing numbers are 0.
    result<void> decode(const frame_view& frame);

    [[nodiscard]] std::int32_t code() const { return code_; }
    [[nodiscard]] request_code request() const { return static_cast<request_code>(code_); }
    [[nodiscard]] response_code response() const { return static_cast<response_code>(code_); }
    [[nodiscard]] protocol::language language() const { return language_; }
    [[nodiscard]] std::int32_t version() const { return version_; } // the sender's (1.4)
    [[nodiscard]] std::int32_t opaque() const { return opaque_; }
    [[nodiscard]] std::int32_t flag() const { return flag_; }
    [[nodiscard]] bool is_response() const { return (flag_ & command_flag::response) != 0; }
    [[nodiscard]] bool is_oneway() const { return (flag_ & command_flag::oneway) != 0; }
    [[nodiscard]] std::string_view remark() const { return remark_; } // empty when absent or null
    [[nodiscard]] serialize_type serialize() const { return serialize_; }
    [[nodiscard]] byte_view body() const { return body_; }

    // In the order received; a name may occur twice, then the last one counts.
    [[nodiscard]] std::span<const header_field> fields() const { return fields_; }
    // A field's text, if it was there and not null. May be empty: many clients send "" for absent.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  private:
    friend class json_header_scanner;
    friend class binary_header_reader;

    void reset(const frame_view& frame);
    // Room for `count` unescaped bytes, all that one header can need; they keep their place until the next
    // decode.
    char* scratch(std::size_t count);

    std::int32_t code_ = 0;
    std::int32_t version_ = 0;
    std::int32_t opaque_ = 0;
    std::int32_t flag_ = 0;
    protocol::language language_ = protocol::language::java;
    serialize_type serialize_ = serialize_type::json;
    std::string_view remark_;
    byte_view body_;
    std::vector<header_field> fields_;
    std::unique_ptr<char[]> scratch_;
    std::size_t scratch_capacity_ = 0;
};

} // namespace holdfast::protocol
