// Reads the ROCKETMQ binary header (protocol reference 1.2).
#pragma once

#include "protocol/remoting_command.hpp"

#include <optional>

namespace holdfast::protocol {

class binary_header_reader {
  public:
    binary_header_reader(byte_view header, remoting_command& into) : rest_(header), into_(into) {}

    result<void> read();

  private:
    // False: `failure_` says why. A result with its text would cost more than reading a field.
    bool read_header();
    bool read_fields(byte_view block);
    bool take_whole_field(header_field& to);
    bool take_field(header_field& to);
    bool fail(error why);
    template <class T>
    T take();
    // A text behind its i32 length.
    bool take_text(const char* what, std::string_view& to);

    byte_view rest_;
    remoting_command& into_;
    std::optional<error> failure_;
};

} // namespace holdfast::protocol
