// How a typed header is read from and written to extFields.
//
// A header struct names its fields once, for both directions:
//
//     struct get_max_offset_request {
//         static constexpr request_code code = request_code::get_max_offset;
//         std::string_view topic;
//         queue_number queue;
//         template <class Self, class Fields>
//         static void fields(Self& self, Fields& at) {
//             at.required("topic", self.topic);
//             at.required("queueId", self.queue);
//         }
//     };
//
// `required` fields must be there to be read and are always written. `optional` ones keep their default when
// absent; std::optional without a value and empty texts are not written. Texts are views into the command.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/command_writer.hpp"
#include "protocol/remoting_command.hpp"

#include <optional>
#include <string>
#include <type_traits>

namespace holdfast::protocol {

// Text to value, the whole text and within bounds; false leaves `to` alone. Offsets into the log, queue
// numbers and counts are never negative here; a queue_offset or time may be (-1 has meanings on this wire).
bool parse_field(std::string_view text, std::string_view& to);
bool parse_field(std::string_view text, std::int32_t& to);
bool parse_field(std::string_view text, std::int64_t& to);
bool parse_field(std::string_view text, bool& to);
bool parse_field(std::string_view text, queue_number& to);
bool parse_field(std::string_view text, queue_offset& to);
bool parse_field(std::string_view text, log_position& to);
bool parse_field(std::string_view text, timestamp_ms& to);
bool parse_field(std::string_view text, transaction_end& to);

// What a field of that type must look like, for the error text: "a 32-bit integer".
std::string_view field_kind(std::string_view);
std::string_view field_kind(std::int32_t);
std::string_view field_kind(std::int64_t);
std::string_view field_kind(bool);
std::string_view field_kind(queue_number);
std::string_view field_kind(queue_offset);
std::string_view field_kind(log_position);
std::string_view field_kind(timestamp_ms);
std::string_view field_kind(transaction_end);

// "field queueId must be a 32-bit integer, not "abc"", and "field queueId is missing".
error bad_field(std::string_view name, std::string_view text, std::string_view kind);
error missing_field(std::string_view name);

class field_reader {
  public:
    explicit field_reader(const remoting_command& command) : command_(command) {}

    template <class T>
    void required(std::string_view name, T& to) {
        if (const auto text = command_.find(name))
            parse(name, *text, to);
        else
            fail(missing_field(name));
    }

    template <class T>
    void optional(std::string_view name, T& to) {
        if (const auto text = command_.find(name); text && !text->empty())
            parse(name, *text, to);
    }
    template <class T>
    void optional(std::string_view name, std::optional<T>& to) {
        T value{};
        const auto text = command_.find(name);
        if (text && !text->empty() && parse(name, *text, value))
            to = value;
    }

    // The first thing that went wrong, if anything.
    [[nodiscard]] const std::optional<error>& failure() const { return failure_; }

  private:
    template <class T>
    bool parse(std::string_view name, std::string_view text, T& to) {
        if (parse_field(text, to))
            return true;
        fail(bad_field(name, text, field_kind(to)));
        return false;
    }
    void fail(error what) {
        if (!failure_)
            failure_ = std::move(what);
    }

    const remoting_command& command_;
    std::optional<error> failure_;
};

class field_writer {
  public:
    explicit field_writer(command_writer& out) : out_(out) {}

    template <class T>
    void required(std::string_view name, const T& value) {
        write(name, value);
    }
    template <class T>
    void optional(std::string_view name, const T& value) {
        if constexpr (std::is_convertible_v<T, std::string_view>) {
            if (std::string_view{value}.empty())
                return;
        }
        write(name, value);
    }
    template <class T>
    void optional(std::string_view name, const std::optional<T>& value) {
        if (value)
            write(name, *value);
    }

  private:
    void write(std::string_view name, std::string_view value) { out_.field(name, value); }
    void write(std::string_view name, bool value) { out_.field(name, value); }
    void write(std::string_view name, std::int32_t value) { out_.field(name, std::int64_t{value}); }
    void write(std::string_view name, std::int64_t value) { out_.field(name, value); }
    void write(std::string_view name, transaction_end value) {
        out_.field(name, static_cast<std::int64_t>(value));
    }
    template <class Tag, class Rep>
    void write(std::string_view name, strong<Tag, Rep> value) {
        out_.field(name, static_cast<std::int64_t>(value.value()));
    }

    command_writer& out_;
};

// For headers without any field.
struct no_fields {
    template <class Self, class Fields>
    static void fields(Self&, Fields&) {}
};

// Reads the typed header of a request or a response. The error names the field that is missing or malformed
// and is fit to be the remark of a SYSTEM_ERROR answer.
template <class Header>
[[nodiscard]] result<Header> decode_header(const remoting_command& command) {
    Header header;
    field_reader reader{command};
    Header::fields(header, reader);
    if (reader.failure())
        return *reader.failure();
    return header;
}

} // namespace holdfast::protocol
