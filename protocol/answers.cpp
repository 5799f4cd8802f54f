#include "protocol/answers.hpp"

#include <array>
#include <charconv>

namespace holdfast::protocol {

namespace {

// Writes into room that is known to suffice.
class text_cursor {
  public:
    explicit text_cursor(std::byte* at) : begin_(reinterpret_cast<char*>(at)), at_(begin_) {}

    // Literals go down as a few fixed-size moves.
    template <std::size_t Size>
    text_cursor& operator<<(const char (&literal)[Size]) {
        std::memcpy(at_, literal, Size - 1);
        at_ += Size - 1;
        return *this;
    }
    text_cursor& text(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return *this;
    }
    text_cursor& number(std::int64_t value) {
        at_ = std::to_chars(at_, at_ + longest_number, value).ptr;
        return *this;
    }
    template <std::integral T>
    text_cursor& big(T value) {
        store_big(reinterpret_cast<std::byte*>(at_), value);
        at_ += sizeof value;
        return *this;
    }
    // A field of the binary dialect.
    template <std::size_t Size>
    text_cursor& field(const char (&name)[Size], std::string_view value) {
        big(static_cast<std::int16_t>(Size - 1));
        *this << name;
        big(static_cast<std::int32_t>(value.size()));
        return text(value);
    }
    template <std::size_t Size>
    text_cursor& field(const char (&name)[Size], std::int64_t value) {
        std::array<char, longest_number> digits;
        const auto* const last = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
        return field(name, {digits.data(), static_cast<std::size_t>(last - digits.data())});
    }
    void skip(std::size_t count) { at_ += count; }
    [[nodiscard]] std::size_t written() const { return static_cast<std::size_t>(at_ - begin_); }

    static constexpr std::size_t longest_number = 20;

  private:
    char* begin_;
    char* at_;
};

// Everything but the texts of variable length: literals below and up to six numbers.
constexpr std::size_t fixed_room = 384;

void write_prefix(std::byte* frame, serialize_type type, std::size_t header_and_prefix,
                  std::size_t body_size) {
    HOLDFAST_CHECK(body_size <= limits::max_frame_bytes &&
                   header_and_prefix + body_size <= limits::max_frame_bytes);
    const std::size_t header_bytes = header_and_prefix - limits::frame_prefix_bytes;
    store_big(frame, static_cast<std::uint32_t>(header_and_prefix + body_size - sizeof(std::uint32_t)));
    store_big(frame + sizeof(std::uint32_t),
              static_cast<std::uint32_t>(type) << 24U | static_cast<std::uint32_t>(header_bytes));
}

// SUCCESS up to the length of the fields, which comes back to be filled in.
std::size_t begin_binary_success(text_cursor& at, const answer_to& to) {
    at.skip(limits::frame_prefix_bytes);
    at.big(static_cast<std::int16_t>(response_code::success)).big(static_cast<std::uint8_t>(language::cpp));
    at.big(static_cast<std::int16_t>(version::announced)).big(to.opaque);
    at.big(std::int32_t{command_flag::response}).big(std::int32_t{0}); // no remark
    const auto fields_length_at = at.written();
    at.skip(sizeof(std::int32_t));
    return fields_length_at;
}

void append_binary_send_answer(byte_buffer& out, const answer_to& to, const send_message_response& answer,
                               std::size_t room) {
    const std::size_t first = out.size();
    text_cursor at{out.extend(room)};
    const auto fields_length_at = begin_binary_success(at, to);
    at.field("msgId", answer.message_id).field("queueId", answer.queue_id);
    at.field("queueOffset", answer.offset.value());
    if (!answer.transaction_id.empty())
        at.field("transactionId", answer.transaction_id);
    if (!answer.recall_handle.empty())
        at.field("recallHandle", answer.recall_handle);
    if (!answer.region.empty())
        at.field("MSG_REGION", answer.region);
    at.field("TRACE_ON", std::string_view{answer.trace_on ? "true" : "false"});
    out.truncate(first + at.written());
    const auto fields_bytes = at.written() - fields_length_at - sizeof(std::int32_t);
    store_big(out.data() + first + fields_length_at, static_cast<std::int32_t>(fields_bytes));
    write_prefix(out.data() + first, serialize_type::binary, at.written(), 0);
}

} // namespace

void append_send_answer(byte_buffer& out, const answer_to& to, const send_message_response& answer) {
    static_assert(version::announced == 409, "it stands in the literals");
    const std::size_t room = fixed_room + answer.message_id.size() + answer.transaction_id.size() +
                             answer.recall_handle.size() + answer.region.size();
    if (to.serialize == serialize_type::binary)
        return append_binary_send_answer(out, to, answer, room);
    const std::size_t first = out.size();
    text_cursor at{out.extend(room)};
    at.skip(limits::frame_prefix_bytes);
    at << R"({"code":0,"flag":1,"language":"CPP","opaque":)";
    at.number(to.opaque) << R"(,"version":409,"extFields":{"msgId":")";
    at.text(answer.message_id) << R"(","queueId":")";
    at.number(answer.queue_id) << R"(","queueOffset":")";
    at.number(answer.offset.value());
    if (!answer.transaction_id.empty())
        (at << R"(","transactionId":")").text(answer.transaction_id);
    if (!answer.recall_handle.empty())
        (at << R"(","recallHandle":")").text(answer.recall_handle);
    if (!answer.region.empty())
        (at << R"(","MSG_REGION":")").text(answer.region);
    if (answer.trace_on)
        at << R"(","TRACE_ON":"true"}})";
    else
        at << R"(","TRACE_ON":"false"}})";
    out.truncate(first + at.written());
    write_prefix(out.data() + first, serialize_type::json, at.written(), 0);
}

void append_pull_answer(byte_buffer& out, const answer_to& to, response_code code, std::string_view remark,
                        const pull_message_response& answer, std::size_t body_size) {
    if (to.serialize == serialize_type::binary) {
        command_writer writer{out, response_head(to, code, remark)};
        field_writer fields{writer};
        pull_message_response::fields(answer, fields);
        writer.finish_header(body_size);
        return;
    }
    const std::size_t first = out.size();
    text_cursor at{out.extend(fixed_room + remark.size())};
    at.skip(limits::frame_prefix_bytes);
    at << R"({"code":)";
    at.number(static_cast<std::int32_t>(code)) << R"(,"flag":1,"language":"CPP","opaque":)";
    at.number(to.opaque) << R"(,"version":409)";
    if (!remark.empty())
        (at << R"(,"remark":")").text(remark) << R"(")";
    at << R"(,"extFields":{"suggestWhichBrokerId":")";
    at.number(answer.suggest_broker_id) << R"(","nextBeginOffset":")";
    at.number(answer.next_begin_offset.value()) << R"(","minOffset":")";
    at.number(answer.min_offset.value()) << R"(","maxOffset":")";
    at.number(answer.max_offset.value()) << R"("}})";
    out.truncate(first + at.written());
    write_prefix(out.data() + first, serialize_type::json, at.written(), body_size);
}

} // namespace holdfast::protocol
