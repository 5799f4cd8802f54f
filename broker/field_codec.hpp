// Little-endian fields in sequence, for the small records of the log and the derived store.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace holdfast::broker {

class field_writer {
  public:
    template <std::integral T>
    field_writer& put(T value) {
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof raw);
        text_.append(raw, sizeof raw);
        return *this;
    }
    field_writer& put_text(std::string_view text) {
        HOLDFAST_CHECK(text.size() <= 0xFFFF);
        put(static_cast<std::uint16_t>(text.size()));
        text_.append(text);
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

// Reads what field_writer wrote. After the first field that does not fit, everything reads as zero and ok()
// is false.
class field_reader {
  public:
    explicit field_reader(byte_view bytes) : rest_(bytes) {}

    template <std::integral T>
    T take() {
        if (rest_.size() < sizeof(T)) {
            ok_ = false;
            rest_ = {};
            return T{};
        }
        const auto value = load_little<T>(rest_.data());
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    std::string_view take_text() {
        const auto size = take<std::uint16_t>();
        if (rest_.size() < size) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto text = as_text(rest_.first(size));
        rest_ = rest_.subspan(size);
        return text;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

  private:
    byte_view rest_;
    bool ok_ = true;
};

} // namespace holdfast::broker
