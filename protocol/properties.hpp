// Message properties: one text, `name 0x01 value 0x02` repeated (protocol reference 5.4, T20).
//
// Reading allocates nothing and follows Java's rules: pieces between 0x02, the last one may lack its
// separator, pieces under 3 characters or without a name and a value are skipped, the last of equal names
// counts.
#pragma once

#include "base/result.hpp"
#include "protocol/limits.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::protocol {

inline constexpr char name_separator = '\x01';
inline constexpr char property_separator = '\x02';

namespace property {
inline constexpr std::string_view keys = "KEYS";
inline constexpr std::string_view tags = "TAGS";
inline constexpr std::string_view unique_key = "UNIQ_KEY";
inline constexpr std::string_view wait = "WAIT";
inline constexpr std::string_view delay = "DELAY";
inline constexpr std::string_view retry_topic = "RETRY_TOPIC";
inline constexpr std::string_view origin_message_id = "ORIGIN_MESSAGE_ID";
inline constexpr std::string_view reconsume_time = "RECONSUME_TIME";
inline constexpr std::string_view max_reconsume_times = "MAX_RECONSUME_TIMES";
inline constexpr std::string_view real_topic = "REAL_TOPIC";
inline constexpr std::string_view real_queue_id = "REAL_QID";
inline constexpr std::string_view transaction_message = "TRAN_MSG";
inline constexpr std::string_view producer_group = "PGROUP";
inline constexpr std::string_view transaction_check_times = "TRANSACTION_CHECK_TIMES";
inline constexpr std::string_view check_immunity_time_s = "CHECK_IMMUNITY_TIME_IN_SECONDS";
inline constexpr std::string_view transaction_id = "__transactionId__";
inline constexpr std::string_view cluster = "CLUSTER";
inline constexpr std::string_view region = "MSG_REGION";
inline constexpr std::string_view trace_on = "TRACE_ON";
inline constexpr std::string_view instance_id = "INSTANCE_ID";
inline constexpr std::string_view message_type = "MSG_TYPE";
inline constexpr std::string_view correlation_id = "CORRELATION_ID";
inline constexpr std::string_view reply_to_client = "REPLY_TO_CLIENT";
inline constexpr std::string_view sharding_key = "__SHARDINGKEY";
inline constexpr std::string_view timer_delay_s = "TIMER_DELAY_SEC";
inline constexpr std::string_view timer_delay_ms = "TIMER_DELAY_MS";
inline constexpr std::string_view timer_deliver_ms = "TIMER_DELIVER_MS";
inline constexpr std::string_view min_offset = "MIN_OFFSET";
inline constexpr std::string_view max_offset = "MAX_OFFSET";
} // namespace property

// Takes the piece before the next separator off the front of a text. For those who look for a few names in
// one pass: most pieces need no closer look than value_in.
[[nodiscard]] inline std::string_view take_piece(std::string_view& text) {
    const std::size_t size = std::min(text.find(property_separator), text.size());
    const std::string_view piece = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    return piece;
}

// The value in a piece, if it is a property of that name with one; otherwise empty.
[[nodiscard]] inline std::string_view value_in(std::string_view piece, std::string_view name) {
    const bool is_it =
        piece.size() > name.size() && piece[name.size()] == name_separator && piece.starts_with(name);
    return is_it ? piece.substr(name.size() + 1) : std::string_view{};
}

struct message_property {
    std::string_view name{};
    std::string_view value{};
    friend bool operator==(const message_property&, const message_property&) = default;
};

// The well-formed properties of a text, in order: `for (auto [name, value] : properties_view{text})`.
class properties_view {
  public:
    class iterator {
      public:
        using value_type = message_property;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        explicit iterator(std::string_view rest) : rest_(rest) { ++*this; }
        const message_property& operator*() const { return current_; }
        const message_property* operator->() const { return &current_; }
        iterator& operator++() {
            at_end_ = true;
            while (!rest_.empty() && at_end_)
                take_next();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& self, std::default_sentinel_t) { return self.at_end_; }

      private:
        // Here so that loops over properties, which every send has, need no call for each.
        void take_next() {
            constexpr std::size_t smallest_piece = 3; // a character, the separator, a character
            const std::string_view piece = take_piece(rest_);
            if (piece.size() < smallest_piece)
                return;
            const std::size_t split = split_of(piece);
            if (split == 0 || split + 1 >= piece.size())
                return;
            current_ = {piece.substr(0, split), piece.substr(split + 1)};
            at_end_ = false;
        }
        // Names are short: a loop is done before a call of memchr is under way.
        static std::size_t split_of(std::string_view piece) {
            std::size_t at = 0;
            while (at < piece.size() && piece[at] != name_separator)
                ++at;
            return at;
        }

        std::string_view rest_;
        message_property current_;
        bool at_end_ = true;
    };

    explicit properties_view(std::string_view text) : text_(text) {}
    [[nodiscard]] iterator begin() const { return iterator{text_}; }
    [[nodiscard]] static std::default_sentinel_t end() { return {}; }

  private:
    std::string_view text_;
};

// The value of one property; the last one if the name occurs twice.
[[nodiscard]] std::optional<std::string_view> find_property(std::string_view text, std::string_view name);

// Appends `name value`, inserting the separator that the text may lack (Java 4.9 leaves out the last one).
// Name and value must be non-empty and free of separators: check what comes from outside with check_property.
void append_property(std::string& text, std::string_view name, std::string_view value);

// The text without any property of that name (WAIT is taken out before storing, 3.2).
[[nodiscard]] std::string without_property(std::string_view text, std::string_view name);

// Whether a name and a value can be stored at all; the error says what is wrong with which.
[[nodiscard]] result<void> check_property(std::string_view name, std::string_view value);

// Whether `text` still fits the stored record after the broker adds `added_bytes` of its own (T20).
[[nodiscard]] result<void> check_properties_size(std::string_view text, std::size_t added_bytes);

// Bytes that `append_property` adds at most: the property and a missing separator before it.
[[nodiscard]] constexpr std::size_t property_bytes(std::string_view name, std::string_view value) {
    return name.size() + value.size() + 3;
}

} // namespace holdfast::protocol
