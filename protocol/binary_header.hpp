// Reads the ROCKETMQ binary header (protocol reference 1.2).
#pragma once

#include "protocol/remoting_command.hpp"

namespace holdfast::protocol {

class binary_header_reader {
  public:
    binary_header_reader(byte_view header, remoting_command& into) : rest_(header), into_(into) {}

    result<void> read();

  private:
    result<void> read_fields(byte_view block);
    template <class T>
    T take();
    // A text behind its i32 length.
    result<std::string_view> take_text(const char* what);

    byte_view rest_;
    remoting_command& into_;
};

} // namespace holdfast::protocol
