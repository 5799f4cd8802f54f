// result<T>: a value or an error that says what went wrong in words for the person who must act on it.
//
// Used for what can fail in the course of business: bytes from the wire, files, a config. A broken invariant
// is not an error but a bug: see check.hpp.
#pragma once

#include "base/check.hpp"

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace holdfast {

// What kind of failure, for code that decides by it. The text is for people.
enum class errc : std::uint8_t {
    invalid_argument, // the caller's request can't be carried out as it stands
    malformed,        // bytes that do not follow their format
    too_large,        // over a named limit
    not_found,        // what was asked for does not exist
    already_exists,   // what was to be created is there
    permission_denied,
    unavailable,   // not now: shutting down, fenced, overloaded, disk full
    io_failed,     // the operating system refused a read, write or flush
    corrupted,     // a checksum or link of stored bytes does not hold
    not_supported, // known, and not built (yet)
    timed_out,
    internal, // a bug, caught before it did harm
};

std::string_view to_string(errc code);

struct [[nodiscard]] error {
    errc code = errc::internal;
    std::string message;

    friend bool operator==(const error&, const error&) = default;
    friend std::ostream& operator<<(std::ostream& out, const error& self) {
        return out << to_string(self.code) << ": " << self.message;
    }
};

template <class T>
class [[nodiscard]] result {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): a function that returns result<T> says `return value;`
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    result(error failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        HOLDFAST_CHECK(ok());
        return std::get<0>(state_);
    }
    const T& value() const& {
        HOLDFAST_CHECK(ok());
        return std::get<0>(state_);
    }
    T&& value() && {
        HOLDFAST_CHECK(ok());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    [[nodiscard]] const error& failure() const {
        HOLDFAST_CHECK(!ok());
        return std::get<1>(state_);
    }

  private:
    std::variant<T, error> state_;
};

// Success without a value.
template <>
class [[nodiscard]] result<void> {
  public:
    result() = default;
    // NOLINTNEXTLINE(google-explicit-constructor)
    result(error failure) : failure_(std::move(failure)), ok_(false) {}

    [[nodiscard]] bool ok() const { return ok_; }
    explicit operator bool() const { return ok_; }
    [[nodiscard]] const error& failure() const {
        HOLDFAST_CHECK(!ok_);
        return failure_;
    }

  private:
    error failure_;
    bool ok_ = true;
};

} // namespace holdfast
