package chattemplate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// strftimeNow is transformers' strftime_now(format): the local time in C's and Python's codes,
// English names.
func strftimeNow(s *state, a *callArgs) (value, error) {
	args, err := a.bind("strftime_now()", 1, "format")
	if err != nil {
		return nil, err
	}
	f, err := wantText("strftime_now", args[0])
	if err != nil {
		return nil, err
	}
	out := strftime(s.now, f)
	return out, s.allocate(len(out))
}

func strftime(t time.Time, f string) string {
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		pad := byte(0)
		if strings.IndexByte("-_0^", f[i]) >= 0 && i+1 < len(f) {
			pad = f[i]
			i++
		}
		b.WriteString(timeField(t, f[i], pad))
	}
	return b.String()
}

func timeField(t time.Time, code, flag byte) string {
	number := func(n, width int, fill byte) string {
		switch flag {
		case '-':
			return strconv.Itoa(n)
		case '_':
			fill = ' '
		case '0':
			fill = '0'
		}
		out := strconv.Itoa(n)
		return strings.Repeat(string(fill), max(width-len(out), 0)) + out
	}
	word := func(s string) string {
		if flag == '^' {
			return strings.ToUpper(s)
		}
		return s
	}
	hour12 := (t.Hour()+11)%12 + 1
	switch code {
	case 'a', 'A', 'b', 'h', 'B', 'p':
		layout := map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'p': "PM"}
		return word(t.Format(layout[code]))
	case 'c':
		return t.Format("Mon Jan _2 15:04:05 2006")
	case 'C':
		return number(t.Year()/100, 2, '0')
	case 'd':
		return number(t.Day(), 2, '0')
	case 'e':
		return number(t.Day(), 2, ' ')
	case 'D', 'x':
		return t.Format("01/02/06")
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000)
	case 'F':
		return t.Format("2006-01-02")
	case 'G', 'V', 'g':
		year, week := t.ISOWeek()
		switch code {
		case 'G':
			return number(year, 4, '0')
		case 'g':
			return number(year%100, 2, '0')
		}
		return number(week, 2, '0')
	case 'H':
		return number(t.Hour(), 2, '0')
	case 'I':
		return number(hour12, 2, '0')
	case 'j':
		return number(t.YearDay(), 3, '0')
	case 'k':
		return number(t.Hour(), 2, ' ')
	case 'l':
		return number(hour12, 2, ' ')
	case 'm':
		return number(int(t.Month()), 2, '0')
	case 'M':
		return number(t.Minute(), 2, '0')
	case 'n':
		return "\n"
	case 'P':
		return t.Format("pm")
	case 'r':
		return t.Format("03:04:05 PM")
	case 'R':
		return t.Format("15:04")
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 'S':
		return number(t.Second(), 2, '0')
	case 't':
		return "\t"
	case 'T', 'X':
		return t.Format("15:04:05")
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1)
	case 'U':
		return number((t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'W':
		return number((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, '0')
	case 'y':
		return number(t.Year()%100, 2, '0')
	case 'Y':
		return number(t.Year(), 0, '0')
	case 'z', 'Z':
		return "" // Python's datetime.now() knows no zone
	case '%':
		return "%"
	}
	if flag != 0 {
		return "%" + string(flag) + string(code)
	}
	return "%" + string(code)
}
