// Distinct arithmetic types, so that a queue offset can't be passed where a log position is meant.
//
// A `strong<Tag, Rep>` holds one number. Equal types compare and hash; they do not mix with each other or
// with raw numbers. `ordinal` types also count: position + size -> position, position - position -> size.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>

namespace holdfast {

template <class Tag, class Rep>
class strong {
  public:
    using rep = Rep;

    constexpr strong() = default;
    constexpr explicit strong(Rep value) : value_(value) {}

    [[nodiscard]] constexpr Rep value() const { return value_; }

    friend constexpr auto operator<=>(strong, strong) = default;
    friend constexpr strong operator+(strong left, Rep right) {
        return strong{static_cast<Rep>(left.value_ + right)};
    }
    friend constexpr strong operator-(strong left, Rep right) {
        return strong{static_cast<Rep>(left.value_ - right)};
    }
    friend constexpr Rep operator-(strong left, strong right) {
        return static_cast<Rep>(left.value_ - right.value_);
    }
    constexpr strong& operator+=(Rep right) {
        value_ = static_cast<Rep>(value_ + right);
        return *this;
    }
    constexpr strong& operator++() {
        ++value_;
        return *this;
    }

    friend std::ostream& operator<<(std::ostream& out, strong self) { return out << +self.value_; }

  private:
    Rep value_{};
};

} // namespace holdfast

template <class Tag, class Rep>
struct std::hash<holdfast::strong<Tag, Rep>> {
    std::size_t operator()(holdfast::strong<Tag, Rep> self) const noexcept {
        return std::hash<Rep>{}(self.value());
    }
};
