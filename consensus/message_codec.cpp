// The head of a message: little-endian, in the order of the structs; texts as u16 length and bytes.
#include "consensus/message.hpp"

#include <limits>

namespace holdfast::consensus {
namespace {

constexpr std::size_t longest_text = 255;
constexpr std::size_t most_entries = 65'536;

class writer {
  public:
    template <std::integral T>
    void number(T value) {
        std::byte bytes[sizeof value];
        store_little(bytes, value);
        text_.append(reinterpret_cast<const char*>(bytes), sizeof value);
    }
    void flag(bool value) { number(static_cast<std::uint8_t>(value)); }
    void text(const std::string& value) {
        HOLDFAST_CHECK(value.size() <= longest_text);
        number(static_cast<std::uint16_t>(value.size()));
        text_ += value;
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

class cursor {
  public:
    explicit cursor(std::string_view text) : text_(text) {}
    template <std::integral T>
    T number() {
        T value{};
        if (const auto* const bytes = take(sizeof value))
            value = load_little<T>(bytes);
        return value;
    }
    bool flag() { return number<std::uint8_t>() != 0; }
    log_position position() { return log_position{number<std::uint64_t>()}; }
    term_number term() { return term_number{number<std::uint64_t>()}; }
    std::string text() {
        const std::size_t size = number<std::uint16_t>();
        const auto* const bytes = size <= longest_text ? take(size) : fail();
        return bytes == nullptr ? std::string{} : std::string{reinterpret_cast<const char*>(bytes), size};
    }
    [[nodiscard]] bool is_good() const { return !failed_; }
    [[nodiscard]] bool is_done() const { return !failed_ && text_.empty(); }
    const std::byte* fail() {
        failed_ = true;
        return nullptr;
    }

  private:
    const std::byte* take(std::size_t size) {
        if (failed_ || size > text_.size())
            return fail();
        const auto* const bytes = reinterpret_cast<const std::byte*>(text_.data());
        text_.remove_prefix(size);
        return bytes;
    }
    std::string_view text_;
    bool failed_ = false;
};

void write(writer& to, const vote_request& body) {
    to.flag(body.is_pre_vote);
    to.flag(body.is_transfer);
    to.number(body.log_end.value());
    to.number(body.last_term.value());
    to.text(body.voter_incarnation);
}

void write(writer& to, const vote_answer& body) {
    to.flag(body.is_pre_vote);
    to.flag(body.is_granted);
}

void write(writer& to, const append_request& body) {
    to.number(body.previous_end.value());
    to.number(body.previous_term.value());
    to.number(body.commit.value());
    to.number(body.sequence);
    HOLDFAST_CHECK(body.entries.size() <= most_entries);
    to.number(static_cast<std::uint32_t>(body.entries.size()));
    for (const auto& entry : body.entries)
        to.number(static_cast<std::uint32_t>(entry.size()));
}

void write(writer& to, const append_answer& body) {
    to.flag(body.is_matched);
    to.number(body.flushed.value());
    to.number(body.log_end.value());
    to.number(body.commit.value());
    to.number(body.sequence);
    to.number(static_cast<std::uint32_t>(body.runs.size()));
    for (const auto& run : body.runs) {
        to.number(run.first.value());
        to.number(run.term.value());
    }
}

void write(writer&, const timeout_now&) {}

void write(writer& to, const begin_request& body) {
    to.number(body.first.value());
}

vote_request read_vote_request(cursor& from) {
    vote_request body;
    body.is_pre_vote = from.flag();
    body.is_transfer = from.flag();
    body.log_end = from.position();
    body.last_term = from.term();
    body.voter_incarnation = from.text();
    return body;
}

vote_answer read_vote_answer(cursor& from) {
    vote_answer body;
    body.is_pre_vote = from.flag();
    body.is_granted = from.flag();
    return body;
}

append_request read_append_request(cursor& from, const shared_bytes& bytes) {
    append_request body;
    body.previous_end = from.position();
    body.previous_term = from.term();
    body.commit = from.position();
    body.sequence = from.number<std::uint64_t>();
    const auto count = from.number<std::uint32_t>();
    if (count > most_entries)
        from.fail();
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < count && from.is_good(); ++i) {
        const std::size_t size = from.number<std::uint32_t>();
        if (!from.is_good() || size > bytes.size() - at) {
            from.fail();
            break;
        }
        body.entries.push_back(bytes.slice(at, size));
        at += size;
    }
    if (at != bytes.size())
        from.fail();
    return body;
}

append_answer read_append_answer(cursor& from) {
    append_answer body;
    body.is_matched = from.flag();
    body.flushed = from.position();
    body.log_end = from.position();
    body.commit = from.position();
    body.sequence = from.number<std::uint64_t>();
    const auto count = from.number<std::uint32_t>();
    if (count > most_runs)
        from.fail();
    for (std::uint32_t i = 0; i < count && from.is_good(); ++i) {
        const auto first = from.position();
        const auto term = from.term();
        if (!body.runs.empty() && (first <= body.runs.back().first || term <= body.runs.back().term))
            from.fail();
        body.runs.push_back({first, term});
    }
    return body;
}

} // namespace

std::string encode_head(const message& what) {
    writer to;
    to.number(static_cast<std::uint8_t>(what.body.index()));
    to.text(what.from.name);
    to.text(what.from.incarnation);
    to.text(what.to);
    to.number(what.term.value());
    std::visit([&](const auto& body) { write(to, body); }, what.body);
    return to.take();
}

result<message> decode_message(std::string_view head, const shared_bytes& body) {
    cursor from{head};
    message what;
    const auto kind = from.number<std::uint8_t>();
    what.from.name = from.text();
    what.from.incarnation = from.text();
    what.to = from.text();
    what.term = from.term();
    switch (kind) {
    case 0:
        what.body = read_vote_request(from);
        break;
    case 1:
        what.body = read_vote_answer(from);
        break;
    case 2:
        what.body = read_append_request(from, body);
        break;
    case 3:
        what.body = read_append_answer(from);
        break;
    case 4:
        what.body = timeout_now{};
        break;
    case 5:
        what.body = begin_request{from.position()};
        break;
    default:
        from.fail();
    }
    if (!from.is_done() || (kind != 2 && !body.empty()))
        return error{errc::malformed,
                     "a message between nodes that is none of theirs, of kind " + std::to_string(kind)};
    return what;
}

} // namespace holdfast::consensus
