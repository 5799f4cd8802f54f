#include "protocol/answers.hpp"

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
    void skip(std::size_t count) { at_ += count; }
    [[nodiscard]] std::size_t written() const { return static_cast<std::size_t>(at_ - begin_); }

    static constexpr std::size_t longest_number = 20;

  private:
    char* begin_;
    char* at_;
};

// Everything but the texts of variable length: literals below and up to six numbers.
constexpr std::size_t fixed_room = 384;

void write_prefix(std::byte* frame, std::size_t header_and_prefix, std::size_t body_size) {
    HOLDFAST_CHECK(body_size <= limits::max_frame_bytes &&
                   header_and_prefix + body_size <= limits::max_frame_bytes);
    const std::size_t header_bytes = header_and_prefix - limits::frame_prefix_bytes;
    store_big(frame, static_cast<std::uint32_t>(header_and_prefix + body_size - sizeof(std::uint32_t)));
    store_big(frame + sizeof(std::uint32_t), static_cast<std::uint32_t>(header_bytes)); // type 0: JSON
}

} // namespace

void append_send_answer(byte_buffer& out, const answer_to& to, const send_message_response& answer) {
    if (to.serialize == serialize_type::binary) {
        append_response(out, to, answer);
        return;
    }
    static_assert(version::announced == 409, "it stands in the literals");
    const std::size_t room = fixed_room + answer.message_id.size() + answer.transaction_id.size() +
                             answer.recall_handle.size() + answer.region.size();
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
    write_prefix(out.data() + first, at.written(), 0);
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
    write_prefix(out.data() + first, at.written(), body_size);
}

} // namespace holdfast::protocol
